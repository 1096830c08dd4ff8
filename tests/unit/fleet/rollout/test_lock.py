from __future__ import annotations

import json
from pathlib import Path

import pytest

from npufleet.rollout import lock
from npufleet.rollout.lock import Lock, LockedError


def test_second_operator_is_told_who_has_it(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    first.take("rollout-1")
    with pytest.raises(LockedError, match=f"process {lock.me().pid}") as caught:
        second.take()
    assert caught.value.failure.remedy
    held = lock.holder(tmp_path / "lock")
    assert held is not None
    assert held.rollout == "rollout-1"
    first.release()
    assert lock.holder(tmp_path / "lock") is None
    second.take()
    assert second.stale is None
    second.release()


def test_what_a_dead_process_left_locks_nobody_out_and_is_told(tmp_path: Path) -> None:
    left = {"operator": "alice", "host": "control", "pid": 4194304, "rollout": "rollout-1"}
    (tmp_path / "lock").write_text(json.dumps(left), encoding="utf-8")
    assert lock.holder(tmp_path / "lock") is None
    taken = Lock(tmp_path / "lock")
    taken.take()
    assert taken.stale is not None
    assert (taken.stale.operator, taken.stale.pid) == ("alice", 4194304)
    taken.drop()
    again = Lock(tmp_path / "lock")
    again.take()
    assert again.stale == lock.me()
    again.release()
