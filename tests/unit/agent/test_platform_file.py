"""The platform's health file, as the images read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from npu_agent import api
from npu_agent.platform_file import PlatformFile, document, withdraw


def npu(state: str = api.HEALTHY, action: str = "none", *codes: str, number: int = 3) -> api.Npu:
    return api.Npu(number, name="910B3", state=state, action=action, reason="why", error_codes=list(codes))


def entry(one: api.Npu) -> dict[str, Any]:
    since = api.Component(f"npu/{one.npu}", one.state, since="2026-01-01T00:00:00Z")
    found: dict[str, Any] = document([one], {since.name: since})["resources"][0]["status"][0]
    return found


def good_for_inference_servers(status: dict[str, Any]) -> bool:
    """As their health check decides: the level is on its list, or every code is on an (empty) list."""
    return status["errLevel"].lower() in {"l0", "l1"} or not {code for code in status["errCodes"] if code.strip()}


@pytest.mark.parametrize(
    ("one", "level", "health"),
    [
        (npu(), "L0", True),
        (npu(api.HEALTHY, "none", "81078603"), "L1", True),
        (npu(api.DEGRADED, "none", "80E20207"), "L1", True),
        (npu(api.DEGRADED, "restart-workload", "80C98000"), "L2", True),
        (npu(api.UNHEALTHY, "restart-workload", "80E01801"), "L3", False),
        (npu(api.UNHEALTHY, "reset-npu", "80E3A203"), "L4", False),
        (npu(api.UNHEALTHY, "replace-hardware", "80E18402"), "L5", False),
        (npu(api.UNHEALTHY, "fix-configuration"), "L4", False),
        (npu(api.UNKNOWN), "L5", False),
    ],
)
def test_states_become_levels(one: api.Npu, level: str, health: bool) -> None:
    found = entry(one)
    assert (found["errLevel"], found["health"]) == (level, health)
    assert good_for_inference_servers(found) == (level in {"L0", "L1"})
    assert len(found["errCodes"]) == len(found["errMessages"])
    assert found["errTime"] == ("" if level == "L0" else "2026-01-01T00:00:00Z")


def test_codes_are_written_as_the_platform_does_and_explained() -> None:
    found = entry(npu(api.UNHEALTHY, "restart-workload", "80e01801"))
    assert found["errCodes"] == ["0x80E01801"]
    assert "HBM" in found["errMessages"][0]


def test_it_is_written_when_it_changes_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "node" / "npu_status.yaml"
    file = PlatformFile(str(path))
    file.update([npu()], {})
    first = path.stat()
    assert first.st_mode & 0o777 == 0o644
    file.update([npu()], {})
    assert path.stat().st_ino == first.st_ino
    file.update([npu(api.UNKNOWN)], {})
    assert path.stat().st_ino != first.st_ino
    assert yaml.safe_load(path.read_text())["version"] == "v1"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_nothing_is_written_where_nobody_asked_and_a_disk_that_refuses_is_borne(tmp_path: Path) -> None:
    PlatformFile(None).update([npu()], {})
    (tmp_path / "file").write_text("")
    file = PlatformFile(str(tmp_path / "file" / "npu_status.yaml"))
    file.update([npu()], {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    (tmp_path / "file").unlink()
    file.update([npu()], {})
    assert (tmp_path / "file" / "npu_status.yaml").exists()


def test_an_agent_that_is_gone_vouches_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "npu_status.yaml"
    PlatformFile(str(path)).update([npu(number=0), npu(number=1)], {})
    assert withdraw(path)
    status = yaml.safe_load(path.read_text())["resources"][0]["status"]
    assert [(one["npu"], one["health"], good_for_inference_servers(one)) for one in status] == [
        (0, False, False),
        (1, False, False),
    ]
    assert "does not run" in status[0]["errMessages"][0]


def test_there_may_be_nothing_to_withdraw(tmp_path: Path) -> None:
    assert not withdraw(tmp_path / "none")
    (tmp_path / "other").write_text("resources: 3")
    assert not withdraw(tmp_path / "other")
