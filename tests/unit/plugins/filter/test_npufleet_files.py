"""Only files that differ are sent to a node."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from unit.plugins.loading import load

files = load("filter/npufleet_files.py")

TEXT = "a = 1\n"
SAME = {"kind": "file", "sha256": hashlib.sha256(TEXT.encode()).hexdigest(), "mode": "0644", "uid": 0}


def test_a_file_that_is_as_wanted_is_left_alone() -> None:
    assert files.npufleet_differing([{"path": "/f", "content": TEXT}], {"files": {"/f": SAME}}) == []


@pytest.mark.parametrize("other", [{"sha256": "0"}, {"mode": "0600"}, {"uid": 1000}, {"kind": "directory"}, None])
def test_any_difference_counts(other: dict[str, Any] | None) -> None:
    node = {"files": {} if other is None else {"/f": {**SAME, **other}}}
    wanted = {"path": "/f", "content": TEXT}
    assert files.npufleet_differing([wanted], node) == [wanted]


def test_only_what_is_there_is_removed() -> None:
    assert files.npufleet_there(["/f", "/g"], {"files": {"/g": SAME}}) == ["/g"]


def test_a_folder_and_those_above_it() -> None:
    assert files.npufleet_lineage("/data/a/b/") == ["/data/a/b", "/data/a", "/data"]
    assert files.npufleet_lineage("") == []


def test_texts_become_files_for_nobody_elses_eyes() -> None:
    assert files.npufleet_texts({"b.txt": "two", "a/b.txt": "one"}, "/out/n") == [
        {"path": "/out/n/a/b.txt", "content": "one", "mode": "0600"},
        {"path": "/out/n/b.txt", "content": "two", "mode": "0600"},
    ]


@pytest.mark.parametrize(
    ("written", "started", "unread"),
    [(101, 100, True), (100, 100, False), (99, 100, False), (101, None, False), (301, 100, False)],
)
def test_a_service_does_not_know_what_was_written_after_its_start(
    written: int, started: int | None, unread: bool
) -> None:
    node = {
        "system": {"time": 300, "services": {"a.service": {"started": started}}},
        "files": {"/f": {"mtime": written}, "/folder": {"kind": "directory"}},
    }
    found = files.npufleet_changed_since_start(["/f", "/folder", "/gone"], node, "a.service")
    assert found == (["/f"] if unread else [])


def test_a_service_that_is_not_there_knows_nothing_and_is_not_restarted() -> None:
    node = {"system": {"time": 300, "services": {}}, "files": {"/f": {"mtime": 200}}}
    assert files.npufleet_changed_since_start(["/f"], node, "a.service") == []


def test_a_role_s_file_is_found_from_everywhere() -> None:
    assert files.npufleet_role_text("agent/files/npu-agent.service").startswith("[Unit]")
    assert files.npufleet_role_path("agent/files").endswith("/roles/agent/files")
