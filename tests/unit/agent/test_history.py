"""Events in order, bounded, and nothing lost without a word."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from npu_agent.api_events import HEALTH, LOST
from npu_agent.history import Draft, History, Limits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def fill(history: History, count: int, message: str = "m") -> None:
    history.record(Draft(HEALTH, "npu/0", f"{message} {index}") for index in range(count))
    history.write()


def messages(history: History, after: int = 0) -> list[str]:
    return [event.message for event in history.read(after).events]


def test_events_are_numbered_in_their_order_and_survive_a_restart(path: Path) -> None:
    history = History(path)
    fill(history, 3)
    first = history.read(0)
    again = History(path)
    fill(again, 1, "later")
    page = again.read(first.next)
    assert [event.seq for event in page.events] == [first.next + 1]
    assert page.events[0].message == "later 0"
    assert messages(again) == ["m 0", "m 1", "m 2", "later 0"]
    assert (page.oldest, page.newest, page.gap) == (first.events[0].seq, first.next + 1, False)


def test_a_page_ends_where_the_next_begins(path: Path) -> None:
    history = History(path)
    fill(history, 5)
    page = history.read(0, 2)
    rest = history.read(page.next, 10)
    assert [e.message for e in (*page.events, *rest.events)] == [f"m {index}" for index in range(5)]
    assert history.read(rest.next).next == rest.next


def test_the_oldest_are_dropped_beyond_the_count_and_the_reader_is_told(path: Path) -> None:
    history = History(path, Limits(events=20))
    fill(history, 5)
    seen = history.read(0).next
    fill(history, 100)
    page = history.read(seen, 1000)
    assert page.gap
    assert len(page.events) <= 20
    assert page.events[-1].message == "m 99"
    assert not history.read(page.events[0].seq - 1, 1000).gap
    assert not history.read(0, 1000).gap


def test_the_oldest_are_dropped_beyond_the_bytes(path: Path) -> None:
    history = History(path, Limits(size_bytes=20_000))
    for _ in range(30):
        fill(history, 5, "中" * 300)
    kept = history.read(0, 1000).events
    assert 3 <= len(kept) <= 20
    assert kept[-1].message.endswith(" 4")
    assert sum(len(json.dumps(event.to_dict(), ensure_ascii=False).encode()) for event in kept) < 25_000


def test_the_file_stays_bounded(path: Path) -> None:
    history = History(path, Limits(events=100))
    for _ in range(60):
        fill(history, 100, "x" * 200)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert path.stat().st_size < 400_000


def test_a_long_message_is_cut(path: Path) -> None:
    history = History(path)
    history.tell(HEALTH, "npu/0", "x" * 5000, reason="why")
    history.write()
    (event,) = history.read(0).events
    assert len(event.message) == 1000
    assert event.data == {"reason": "why"}


def test_a_disk_that_takes_nothing_keeps_events_waiting_and_tells_what_was_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(path, Limits(pending=10))
    # The file is in another program's hands: every write is refused.
    history._connection.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    history.record(Draft(HEALTH, "npu/0", f"early {index}") for index in range(4))
    history.remember("key", [1])
    with pytest.raises(sqlite3.OperationalError):
        history.write()
    history.record(Draft(HEALTH, "npu/0", f"m {index}") for index in range(10))
    with pytest.raises(sqlite3.OperationalError):
        history.write()
    other.execute("ROLLBACK")
    history.write()
    events = history.read(0).events
    assert events[0].kind == LOST
    assert events[0].data == {"count": 4}
    assert [event.message for event in events[1:]] == [f"m {index}" for index in range(10)]
    assert history.recall("key") == [1]
    numbers = [event.seq for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + 11))


def test_a_broken_file_is_moved_away_and_numbers_go_on_above(path: Path) -> None:
    path.write_bytes(b"this is no database " * 500)
    history = History(path)
    fill(history, 1)
    assert path.with_name("history.db.broken").exists()
    page = history.read(5)
    assert page.gap
    assert page.events[0].seq > time.time() - 60
    assert messages(history, after=page.events[0].seq + 1000) == ["m 0"]
    assert history.read(page.events[0].seq + 1000).gap


def test_where_nothing_can_be_kept_it_works_in_memory(tmp_path: Path) -> None:
    history = History(tmp_path / "no folder" / "history.db")
    fill(history, 2)
    assert messages(history) == ["m 0", "m 1"]


def test_what_is_remembered_is_there_after_a_restart(path: Path) -> None:
    history = History(path)
    assert history.recall("picture") is None
    history.remember("picture", {"old": 1})
    history.remember("picture", {"ready": True})
    history.write()
    assert History(path).recall("picture") == {"ready": True}
    sqlite3.connect(path).execute("UPDATE memory SET document = '{'").connection.commit()
    assert History(path).recall("picture") is None


def test_the_thread_writes_and_wakes_until_it_is_closed(path: Path) -> None:
    history = History(path)
    history.start()
    woken: list[int] = []
    leave = history.subscribe(lambda: woken.append(1))
    history.tell(HEALTH, "npu/0", "one")
    deadline = time.monotonic() + 10
    while not messages(history) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert messages(history) == ["one"]
    leave()
    history.tell(HEALTH, "npu/0", "the last word")
    history.close()
    assert history.closed
    assert messages(History(path)) == ["one", "the last word"]
    assert woken


def test_a_waker_whose_loop_has_ended_disturbs_nobody(path: Path) -> None:
    history = History(path)

    def gone() -> None:
        raise RuntimeError("Event loop is closed")

    history.subscribe(gone)
    fill(history, 1)
    assert messages(history) == ["m 0"]
