from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from npufleet.playbook_events import NodeRun, Tracker
from npufleet.playbook_record import Record
from npufleet.playbook_story import CANCELED, End, Order, Story
from npufleet.result import Exit, Failure, Result

ORDER = Order("prepare", "site.yml", Path("inventory/test"), limit="a")


def read(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return document


def test_while_a_run_goes_on_its_record_says_where_every_node_is(tmp_path: Path) -> None:
    tracker = Tracker({"a": NodeRun("a", "working", "docker", "Install", 3, 1)})
    record = Record(tmp_path, ORDER)
    record.note(tracker, 0.1)
    assert read(tmp_path)["state"] == "running"
    assert read(tmp_path)["nodes"]["a"] == {
        "state": "working", "stage": "docker", "task": "Install", "done": 3, "changed": 1, "message": "",
    }  # fmt: skip


def test_it_is_written_now_and_then_only(tmp_path: Path) -> None:
    tracker = Tracker({"a": NodeRun("a", done=1)})
    record = Record(tmp_path, ORDER)
    record.note(tracker, 0.1)
    tracker.nodes["a"].done = 2
    record.note(tracker, 1.0)
    assert read(tmp_path)["nodes"]["a"]["done"] == 1
    record.note(tracker, 2.5)
    assert read(tmp_path)["nodes"]["a"]["done"] == 2


def test_at_the_end_it_says_how_it_ended(tmp_path: Path) -> None:
    story = Story(ORDER, Tracker({"a": NodeRun("a", "stopped")}), End(CANCELED, 1), 5, tmp_path)
    Record(tmp_path, ORDER).close(story, Result("prepare", errors=(Failure("x", "why"),), exit_code=Exit.FAILED))
    found = read(tmp_path)
    assert (found["state"], found["exit_code"], found["errors"]) == ("interrupted", 1, ["why"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json"]


def test_a_record_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    Record(folder, ORDER).note(Tracker(), 0)
    assert not folder.exists()
