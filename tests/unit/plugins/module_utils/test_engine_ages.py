"""Engines from 18.09 to current answer in shapes of their own; what is read from them is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unit.plugins import loading

from ansible.module_utils.npufleet import engine  # isort: skip  # found through the import above

plans = loading.load("filter/npufleet_docker.py")
CASES = Path(__file__).resolve().parents[3] / "cases/docker"


def answers(version: str) -> dict[str, Any]:
    return dict(json.loads((CASES / f"{version}.json").read_text(encoding="utf-8")))


def facts(version: str, text: str = "") -> dict[str, Any]:
    said = answers(version)
    file = {**engine.daemon_json(text), "mode": None, "folder": True}
    return {"daemon_json": file, "flags": [], "info": engine.info(said["info"]), **engine.images(said["images"])}


@pytest.mark.parametrize(
    ("version", "driver", "live_restore"),
    [
        ("18.09.0", "cgroupfs", False),
        ("20.10.24", "cgroupfs", True),
        ("24.0.7", "systemd", True),
        ("28.1.1", "systemd", True),
    ],
)
def test_what_the_engine_says(version: str, driver: str, *, live_restore: bool) -> None:
    found = facts(version)
    assert found["info"]["cgroup_driver"] == driver
    assert found["info"]["live_restore"] is live_restore
    assert found["info"]["swarm"] is False
    assert found["info"]["iptables_warning"] == (answers(version)["info"]["Warnings"] or [])


@pytest.mark.parametrize(
    ("version", "digests"),
    [("18.09.0", []), ("20.10.24", ["infer", "train"]), ("24.0.7", []), ("28.1.1", ["infer"])],
)
def test_images_without_a_name_are_no_names(version: str, digests: list[str]) -> None:
    found = facts(version)
    assert found["images"] == ["infer:1"]
    assert list(found["image_ids"]) == ["infer:1"]
    assert [digest.split("@")[0] for digest in found["image_digests"]] == [f"r:5000/{name}" for name in digests]


@pytest.mark.parametrize(("version", "parent"), [("18.09.0", None), ("20.10.24", None), ("28.1.1", "npufleet.slice")])
def test_the_plan_follows_the_driver_that_runs(version: str, parent: str | None) -> None:
    plan = plans.npufleet_daemon_plan(facts(version), {"live-restore": True}, "v1", "npufleet.slice")
    assert plan["options"].get("cgroup-parent") == parent


def test_an_engine_that_was_not_told_is_noticed() -> None:
    told = '{"live-restore": true}'
    assert plans.npufleet_daemon_plan(facts("18.09.0", told), {"live-restore": True})["ignored"] == ["live-restore"]
    assert plans.npufleet_daemon_plan(facts("28.1.1", told), {"live-restore": True})["ignored"] == []
