from __future__ import annotations

import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from npu_agent import audit
from npu_agent.audit import Entry, Trail

PUT = Entry("fleet-operate", "token", "10.0.0.1", "PUT /v1/workloads/job", 201, spec='"7-ab"')
WRONG = Entry("unknown", "none", "10.0.0.9", "GET /v1/node", 401, "unauthenticated")


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_who_what_when_and_the_result_are_kept_for_root_alone(tmp_path: Path) -> None:
    Trail(tmp_path).changed(PUT)
    Trail(tmp_path).changed(PUT)
    found = lines(tmp_path / audit.CHANGES)
    assert len(found) == 2
    when = found[0].pop("at")
    assert when.endswith("Z")
    assert found[0] == {
        "who": "fleet-operate", "via": "token", "client": "10.0.0.1", "what": "PUT /v1/workloads/job",
        "status": 201, "spec": '"7-ab"',
    }  # fmt: skip
    assert stat.S_IMODE((tmp_path / audit.CHANGES).stat().st_mode) == 0o600


def test_it_is_bounded_and_the_newest_stays(tmp_path: Path) -> None:
    trail = Trail(tmp_path, size_limit=1000)
    for number in range(200):
        trail.changed(Entry("a", "token", "c", f"PUT /{number}", 200))
    files = sorted(tmp_path.iterdir())
    assert len(files) == audit.FILES_KEPT
    assert sum(path.stat().st_size for path in files) < audit.FILES_KEPT * 1200
    newest = tmp_path / audit.CHANGES
    last = lines(newest if newest.exists() else tmp_path / f"{audit.CHANGES}.1")[-1]
    assert last["what"] == "PUT /199"


def test_being_refused_often_pushes_no_change_out_and_floods_no_journal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "npu_agent.audit")
    trail = Trail(tmp_path, size_limit=1000)
    trail.changed(PUT)
    for _ in range(audit.REFUSALS_A_MINUTE * 3):
        trail.refused(WRONG)
    assert [line["what"] for line in lines(tmp_path / audit.CHANGES)] == [PUT.what]
    assert len(caplog.records) == 1 + audit.REFUSALS_A_MINUTE


def test_a_disk_that_takes_nothing_is_told_once_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trail = Trail(tmp_path / "gone")
    trail.changed(PUT)
    trail.changed(PUT)
    assert caplog.text.count("cannot be written") == 1


def test_an_entry_is_one_line_of_a_bounded_length(tmp_path: Path) -> None:
    Trail(tmp_path).changed(Entry("a\nb", "token", "c", "PUT /\n\x1b[2J" + "x" * 5000, 404))
    text = (tmp_path / audit.CHANGES).read_text()
    assert text.count("\n") == 1
    assert len(text) < 500
    assert "\x1b" not in text


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / audit.CHANGES).symlink_to(tmp_path / "elsewhere")
    Trail(tmp_path).changed(PUT)
    assert (tmp_path / "elsewhere").read_text() == ""
