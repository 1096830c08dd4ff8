from __future__ import annotations

from pathlib import Path

import pytest

from npufleet.rollout import states
from npufleet.rollout.record import Record, RecordError
from npufleet.rollout.rows import RolloutRow


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "runs" / "rollouts.sqlite")


def make(record: Record) -> str:
    return record.create(RolloutRow("test", "d1", "", {"canary": 1}), [["a"], ["b"]], {"d1": {"name": "r"}}).id


def test_what_is_written_is_there_for_the_next_process(record: Record, tmp_path: Path) -> None:
    rollout = make(record)
    record.turn(rollout, states.RUNNING)
    record.move(rollout, ["a"], states.DRAINING, cordon="standing")
    after = Record(tmp_path / "runs" / "rollouts.sqlite")
    assert (after.rollout().id, after.rollout("1").state) == (rollout, states.RUNNING)
    assert [(n.node, n.batch, n.state, n.cordon) for n in after.nodes(rollout)] == [
        ("a", 0, "draining", "standing"), ("b", 1, "pending", ""),
    ]  # fmt: skip


def test_writes_survive_a_loss_of_power(record: Record, tmp_path: Path) -> None:
    assert record._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert record._db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_a_step_that_cannot_be_is_refused_whole(record: Record) -> None:
    rollout = make(record)
    with pytest.raises(states.TransitionError, match="pending cannot become healthy"):
        record.move(rollout, ["a"], states.HEALTHY)
    with pytest.raises(states.TransitionError, match="pending cannot become successful"):
        record.turn(rollout, states.SUCCESSFUL)
    record.move(rollout, ["b"], states.DRAINING)
    with pytest.raises(states.TransitionError):
        record.move(rollout, ["a", "b"], states.UPDATING)
    assert [node.state for node in record.nodes(rollout)] == ["pending", "draining"]


def test_two_rollouts_never_share_an_owner(record: Record) -> None:
    assert make(record) != make(record)


def test_missing_rollout_and_unusable_file_are_told(record: Record, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no rollout of this inventory"):
        record.rollout()
    (tmp_path / "garbage").write_bytes(b"no database at all, but long enough to be taken for one" * 50)
    with pytest.raises(RecordError, match="cannot be used"):
        Record(tmp_path / "garbage")


def test_failures_are_counted_by_time(record: Record) -> None:
    rollout = make(record)
    record.move(rollout, ["a"], states.UNREACHABLE, "gone")
    assert record.failed_since(0) == {"a"}
    assert record.failed_since(4e9) == set()
    record.forget_failures()
    assert record.failed_since(0) == set()
