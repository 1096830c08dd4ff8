"""The agent's one file: the same bytes each time it is built, and it runs on every Python that a node may have."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.repo import ROOT

SAMPLE = ROOT / "tests/cases/npu_smi_parse/info/910B4_8cards_23.0.rc3_excerpt.txt"


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def built() -> Path:
    """The file for this machine's architecture."""
    folder = ROOT / "build/agent"
    name: str = manifest(folder)["artefacts"][platform.machine()]["file"]
    return folder / name


def interpreters() -> dict[str, str]:
    """Every Python from 3.6 on that this machine has, by its minor version: on PATH, or installed by pyenv."""
    candidates = [path for n in range(6, 15) if (path := shutil.which(f"python3.{n}"))]
    candidates += [str(path) for path in sorted((Path.home() / ".pyenv/versions").glob("3.*/bin/python3"))]
    found: dict[str, str] = {}
    for candidate in [sys.executable, *candidates]:
        probe = subprocess.run([candidate, "-V"], capture_output=True, text=True, check=False)
        if match := re.match(r"Python (3\.\d+)", probe.stdout):
            found.setdefault(match[1], candidate)
    return found


INTERPRETERS = interpreters()


def run(python: str, built: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-I", str(built), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
    )


def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "agent/build.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert manifest(tmp_path)["artefacts"] == manifest(ROOT / "build/agent")["artefacts"]
    assert set(manifest(tmp_path)["artefacts"]) == {"x86_64", "aarch64"}


@pytest.mark.parametrize("minor", range(9, 14))
def test_it_reads_a_recorded_table_on_every_python(built: Path, tmp_path: Path, minor: int) -> None:
    python = INTERPRETERS.get(f"3.{minor}")
    if python is None:
        pytest.skip(f"this machine has no Python 3.{minor}")
    done = run(python, built, tmp_path, "probe", "--from-file", str(SAMPLE), "--json")
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    chips = json.loads(done.stdout)["chips"]
    assert [(chip["npu_id"], chip["name"], chip["health"]) for chip in chips] == [(n, "910B4", "OK") for n in range(6)]
    assert chips[5]["hbm_used_mb"] == 3128


@pytest.mark.parametrize("minor", range(6, 9))
def test_a_python_that_is_too_old_is_told_so_in_a_sentence(built: Path, tmp_path: Path, minor: int) -> None:
    python = INTERPRETERS.get(f"3.{minor}")
    if python is None:
        pytest.skip(f"this machine has no Python 3.{minor}")
    done = run(python, built, tmp_path, "version")
    assert done.returncode != 0
    assert "3.9" in done.stderr
    assert "Traceback" not in done.stderr
