"""Mount units and folders: what is missing on a node, what is somebody else's, and why nothing may be done."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from unit.plugins.loading import load

storage = load("filter/npufleet_storage.py")

OWNER = {"uid": 1000, "gid": 100}
SHARE = {"source": "10.0.0.9:/", "path": "/mnt/sfs_turbo"}
WS = {"path": "/mnt/sfs_turbo/ws"}
DIRECTORY = {"mode": "0755", "uid": 0, "gid": 0, "kind": "directory"}
MINE = {**DIRECTORY, "uid": 1000, "gid": 100}
(UNIT,) = storage.npufleet_mount_unit_files([SHARE], "vers=3,hard", 30)
FOUND = {"units": {"mnt-sfs_turbo.mount": "/mnt/sfs_turbo"}, "points": ["/mnt/sfs_turbo"], "folders": {}}
WRITTEN = {UNIT["path"]: {"sha256": hashlib.sha256(UNIT["content"].encode()).hexdigest()}, UNIT["link"]: {}}


def node(
    source: str | None = None, folders: dict[str, Any] | None = None, files: dict[str, Any] | None = None, **facts: Any
) -> dict[str, Any]:
    seen = {"/mnt": DIRECTORY, "/mnt/sfs_turbo": None, "/mnt/sfs_turbo/ws": None, **(folders or {})}
    mounted = {"source": source, "type": "nfs"} if source else None
    helpers = {"nfs": "/usr/sbin/mount.nfs"}
    state = {"mounts": {"/mnt/sfs_turbo": mounted}, "folders": seen, "broken": {}, "helpers": helpers, **facts}
    return {"storage": state, "files": files or {}}


def plan(state: dict[str, Any], found: dict[str, Any] | None = None) -> dict[str, Any]:
    return dict(storage.npufleet_storage_plan(state, [UNIT], [WS], OWNER, found))


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/mnt/sfs_turbo", "mnt-sfs_turbo.mount"),
        ("/mnt/a-b/c/", "mnt-a\\x2db-c.mount"),
        ("/.hidden", "\\x2ehidden.mount"),
        ("/mnt/two words", "mnt-two\\x20words.mount"),
        ("/数据", "\\xe6\\x95\\xb0\\xe6\\x8d\\xae.mount"),
    ],
)
def test_units_are_named_as_systemd_demands(path: str, unit: str) -> None:
    assert storage.npufleet_mount_unit(path) == unit


def test_a_mount_neither_fails_the_boot_nor_waits_for_ever() -> None:
    assert "Options=vers=3,hard,_netdev,nofail\n" in UNIT["content"]
    assert "TimeoutSec=30\n" in UNIT["content"]
    assert "Before=docker.service\n" in UNIT["content"]
    (other,) = storage.npufleet_mount_unit_files([{**SHARE, "type": "ext4", "source": "/d%1"}], "vers=3", 30)
    assert "Options=_netdev,nofail\n" in other["content"]
    assert "What=/d%%1\n" in other["content"]


def test_a_bare_node_gets_the_mount_before_its_folders_are_judged() -> None:
    first = plan(node())
    assert first["start"] == [("mnt-sfs_turbo.mount", "/mnt/sfs_turbo")]
    assert first["points"] == [{"path": "/mnt/sfs_turbo", "mode": "0555"}]
    assert [item["path"] for item in first["write"]] == ["/etc/systemd/system/mnt-sfs_turbo.mount"]
    assert first["record"]["folders"] == {}, "what lies below the mount is not seen yet"
    second = plan(node("10.0.0.9:/", {"/mnt/sfs_turbo": DIRECTORY}, WRITTEN), first["record"])
    assert (second["start"], second["write"], second["error"]) == ([], [], "")
    assert second["folders"] == [{"path": "/mnt/sfs_turbo/ws", "mode": "0755", **OWNER}]
    assert second["record"] == {**FOUND, "folders": {"/mnt/sfs_turbo/ws": None}}


def test_a_folder_beside_the_mount_is_not_below_it() -> None:
    beside = {"path": "/mnt/sfs_turbo2"}
    state = node(folders={"/mnt/sfs_turbo2": DIRECTORY})
    found = storage.npufleet_storage_plan(state, [UNIT], [beside], OWNER)
    assert found["record"]["folders"] == {"/mnt/sfs_turbo2": DIRECTORY}


def test_a_prepared_node_has_nothing_to_do() -> None:
    state = node("10.0.0.9:/", {"/mnt/sfs_turbo": DIRECTORY, "/mnt/sfs_turbo/ws": MINE}, WRITTEN)
    found = plan(state, FOUND)
    assert [found[key] for key in ("error", "points", "write", "start", "folders")] == ["", [], [], [], []]


def test_owner_and_mode_that_were_there_are_remembered() -> None:
    theirs = {**DIRECTORY, "mode": "0700", "uid": 7}
    state = node("10.0.0.9:/", {"/mnt/sfs_turbo": DIRECTORY, "/mnt/sfs_turbo/ws": theirs}, WRITTEN)
    assert plan(state, FOUND)["record"]["folders"] == {"/mnt/sfs_turbo/ws": theirs}


def test_what_somebody_else_mounted_as_wanted_is_left_alone() -> None:
    found = plan(node("10.0.0.9:/", {"/mnt/sfs_turbo": DIRECTORY, "/mnt/sfs_turbo/ws": MINE}))
    assert [found[key] for key in ("error", "write", "start")] == ["", [], []]
    assert found["record"]["units"] == {}


def test_a_unit_that_is_not_started_at_boot_is_mended() -> None:
    state = node("10.0.0.9:/", {"/mnt/sfs_turbo": DIRECTORY}, {UNIT["path"]: WRITTEN[UNIT["path"]]})
    assert plan(state, FOUND)["start"] == [("mnt-sfs_turbo.mount", "/mnt/sfs_turbo")]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (node("10.0.0.8:/other"), "10.0.0.8:/other is mounted on /mnt/sfs_turbo already"),
        (node(files={UNIT["path"]: {"sha256": "0"}}), "is a unit of somebody else"),
        (node(helpers={"nfs": None}), "the system has no mount.nfs"),
        (
            node(broken={"/mnt/sfs_turbo": "no answer within 5 s"}),
            "/mnt/sfs_turbo cannot be looked at (no answer within 5 s)",
        ),
    ],
)
def test_one_sentence_says_why_not(state: dict[str, Any], words: str) -> None:
    assert words in plan(state)["error"]
