from __future__ import annotations

import json
from typing import Any

import pytest

from npufleet.playbook_drift import differences


def told(result: dict[str, Any], task: str = "Do it") -> list[tuple[str, str]]:
    return [(one.kind, one.what) for one in differences({"task": task, "res": {"changed": True, **result}}, "docker")]


def diff(path: str, before: str, after: str) -> dict[str, str]:
    return {"before": before, "after": after, "before_header": path, "after_header": path}


def unit(state: str | None, active: str, *, enabled: bool | None = None, file: str = "enabled") -> dict[str, Any]:
    status = {"ActiveState": active, "UnitFileState": file}
    return {"name": "docker.service", "state": state, "enabled": enabled, "status": status}


def test_what_would_not_change_is_no_difference() -> None:
    assert differences({"task": "t", "res": {"changed": False, "paths": ["/a"]}}, "r") == []
    assert differences({"task": "t"}, "r") == []


def test_files() -> None:
    result = {"paths": ["/etc/a", "/etc/b"], "diff": [diff("/etc/a", "old", "new"), diff("/etc/b", "", "new")]}
    assert told(result) == [("file", "/etc/a differs"), ("file", "/etc/b is missing")]
    assert told({"dest": "/etc/c"}) == [("file", "/etc/c differs")]


def test_a_json_file_is_told_key_by_key() -> None:
    before, after = {"live-restore": False, "debug": True}, {"live-restore": True, "debug": True}
    result = {"paths": ["/etc/d.json"], "diff": [diff("/etc/d.json", json.dumps(before), json.dumps(after))]}
    assert told(result) == [("option", "/etc/d.json: live-restore")]


def test_npufleets_own_notes_are_no_difference() -> None:
    assert told({"paths": ["/var/lib/npufleet/found/docker.json", "/run/npufleet-docker/apt.conf"], "diff": []}) == []


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (unit("started", "inactive"), "docker.service is inactive, wanted started"),
        (unit("started", "failed", enabled=True, file="disabled"),
         "docker.service is failed and disabled, wanted started and enabled"),
        (unit("started", "active", enabled=True, file="disabled"), "docker.service is disabled, wanted enabled"),
        ({**unit("started", "x"), "status": None}, "docker.service is unknown, wanted started"),
    ],
)  # fmt: skip
def test_units(result: dict[str, Any], says: str) -> None:
    assert told(result) == [("unit", says)]


def test_a_unit_that_only_reloads_is_no_difference() -> None:
    assert told(unit("started", "active")) == []


def test_loops_and_the_rest() -> None:
    items = [
        {"changed": True, "dest": "/a"},
        {"changed": False, "dest": "/b"},
        {"changed": True, "cmd": ["sysctl", "-p"]},
    ]
    assert told({"results": items}) == [("file", "/a differs"), ("command", "sysctl -p")]
    assert told({}, "Install the packages") == [("task", "Install the packages")]
