from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from npufleet.render import docker, systemd
from unit.fleet.render.test_docker import BODY


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Its own check, in a folder where the units that it needs exist and docker is a program."""
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    text = systemd.unit("job", str(program), docker.arguments("job", BODY, detach=False), "on-failure", 30)
    unit = tmp_path / "job.service"
    unit.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(text.replace("Restart=on-failure", "Restart=whenever"), encoding="utf-8")
    wrong = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    assert "restart specifier" in wrong.stderr
