"""daemon.json is merged, never replaced, and given back as it was found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from unit.plugins.loading import load

docker = load("filter/npufleet_docker.py")


def engine(text: str = "", flags: tuple[str, ...] = (), **info: Any) -> dict[str, Any]:
    options = json.loads(text) if text else {}
    return {
        "daemon_json": {"exists": bool(text), "text": text, "options": options, "error": None, "mode": "0640"},
        "flags": list(flags),
        "info": info,
    }


def test_options_of_others_stay() -> None:
    plan = docker.npufleet_daemon_plan(
        engine('{"log-opts": {"max-size": "1m"}, "registry-mirrors": ["http://a"], "debug": true}'),
        {"live-restore": True, "log-opts": {"max-file": "3"}, "registry-mirrors": ["http://b", "http://a"]},
    )
    assert plan["options"] == {
        "log-opts": {"max-size": "1m", "max-file": "3"},
        "registry-mirrors": ["http://a", "http://b"],
        "debug": True,
        "live-restore": True,
    }
    assert plan["changed"] == ["live-restore", "log-opts", "registry-mirrors"]
    assert plan["restart"] == ["log-opts"], "the others are taken on a reload"


def test_a_second_plan_has_nothing_to_change() -> None:
    wanted = {"live-restore": True, "insecure-registries": ["r:5000"]}
    first = docker.npufleet_daemon_plan(engine('{"insecure-registries": ["x"]}'), wanted)
    second = docker.npufleet_daemon_plan(engine(json.dumps(first["options"])), wanted)
    assert second["changed"] == []


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [(("live-restore",), {"live-restore": True}), (("exec-opt",), {"exec-opts": ["native.cgroupdriver=systemd"]})],
)
def test_what_a_flag_says_is_not_said_twice(flags: tuple[str, ...], wanted: dict[str, Any]) -> None:
    # A daemon refuses to start when flag and file name the same option.
    plan = docker.npufleet_daemon_plan(engine(flags=flags), wanted)
    assert plan["changed"] == []
    assert plan["left_to_flags"] == list(wanted)


def test_a_swarm_node_gets_no_live_restore() -> None:
    assert docker.npufleet_daemon_plan(engine(swarm=True), {"live-restore": True})["changed"] == []


@pytest.mark.parametrize(
    ("state", "mode", "wanted", "parent"),
    [
        (engine(cgroup_driver="systemd"), "v2", {}, "npufleet.slice"),
        (engine(cgroup_driver="cgroupfs"), "v2", {}, None),
        (engine(), "v2", {}, "npufleet.slice"),
        (engine(), "v1", {}, None),
        (engine('{"exec-opts": ["native.cgroupdriver=systemd"]}'), "v1", {}, "npufleet.slice"),
        (
            engine(cgroup_driver="cgroupfs"),
            "v1",
            {"exec-opts": ["native.cgroupdriver=systemd"]},
            "npufleet.slice",
        ),
        (engine(cgroup_driver="systemd"), "v2", {"cgroup-parent": "mine.slice"}, "mine.slice"),
    ],
)
def test_containers_get_a_slice_of_their_own_where_systemd_keeps_them(
    state: dict[str, Any], mode: str, wanted: dict[str, Any], parent: str | None
) -> None:
    plan = docker.npufleet_daemon_plan(state, wanted, mode, "npufleet.slice")
    assert plan["options"].get("cgroup-parent") == parent


FOUND = '{"debug":true,   "log-driver": "none"}'


def record(text: str, wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options after a run, and what it remembered."""
    plan = docker.npufleet_daemon_plan(engine(text), wanted)
    return plan["options"], docker.npufleet_daemon_record(engine(text), plan, {"packages": ["docker"]})


def test_undo_gives_back_the_file_byte_by_byte() -> None:
    options, found = record(FOUND, {"live-restore": True, "log-driver": "journald"})
    assert docker.npufleet_daemon_undo(engine(json.dumps(options)), found) == FOUND


def test_order_indentation_and_letters_stay() -> None:
    text = '{\n    "z": {"b": 1},\n    "a": "数据",\n    "log-opts": {"max-size": "1m"}\n}\n'
    plan = docker.npufleet_daemon_plan(engine(text), {"live-restore": True, "log-opts": {"max-file": "3"}})
    assert list(json.loads(plan["text"])) == ["z", "a", "log-opts", "live-restore"]
    assert plan["text"].startswith('{\n    "z"')
    assert '"数据"' in plan["text"]


def test_a_broken_file_is_never_the_base_of_a_new_one() -> None:
    broken = {**engine(), "daemon_json": {"text": '{"a": ', "options": {}, "error": "Expecting value", "mode": "0644"}}
    assert docker.npufleet_daemon_plan(broken, {})["changed"] == []


def test_mode_and_folder_are_remembered() -> None:
    _, found = record(FOUND, {"live-restore": True})
    assert (found["mode"], found["folder"]) == ("0640", None)


def test_undo_of_a_file_that_was_not_there_is_empty() -> None:
    options, found = record("", {"live-restore": True})
    assert docker.npufleet_daemon_undo(engine(json.dumps(options)), found) == ""


def test_undo_leaves_what_somebody_changed_since() -> None:
    options, found = record(FOUND, {"live-restore": True, "log-driver": "journald"})
    now = json.dumps({**options, "log-driver": "syslog", "mtu": 1400})
    left = json.loads(docker.npufleet_daemon_undo(engine(now), found))
    assert left == {"debug": True, "log-driver": "syslog", "mtu": 1400}


def test_a_second_change_remembers_the_first_file() -> None:
    options, found = record(FOUND, {"live-restore": True})
    text = json.dumps(options)
    plan = docker.npufleet_daemon_plan(engine(text), {"debug": False})
    again = docker.npufleet_daemon_record(engine(text), plan, found)
    assert docker.npufleet_daemon_undo(engine(json.dumps(plan["options"])), again) == FOUND
