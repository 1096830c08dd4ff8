"""What happened, in order, and what must be remembered of it: bounded on disk, written by a thread of its own."""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from npu_agent import units
from npu_agent.api_events import LOST, Event, EventPage

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS memory (key TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
_RETRY_S = 5.0
_MESSAGE_LIMIT = 1000
_SLACK = 0.05  # trimmed in batches, so that not every event costs a deletion


@dataclass(frozen=True)
class Limits:
    """`pending` events wait in memory while the disk takes none; what is more is lost, and told as lost."""

    events: int = 10_000
    size_bytes: int = 4 << 20
    pending: int = 1000


@dataclass(frozen=True)
class Draft:
    """An event before it has a number."""

    kind: str
    subject: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)
    at: str = field(default_factory=units.utc_now)


class History:
    """record() and remember() never wait for the disk; read() may. A file that is broken is moved away."""

    def __init__(self, path: Path, limits: Optional[Limits] = None) -> None:
        self._limits = limits or Limits()
        self._database = threading.RLock()
        self._connection = _open(path)
        self._queue = threading.Condition()
        self._pending: deque[Draft] = deque()
        self._memory: dict[str, str] = {}
        self._lost = 0
        self._closed = False
        self._failed = False
        self._wakers: set[Callable[[], None]] = set()
        row = self._connection.execute(
            "SELECT count(*), total(length(CAST(document AS BLOB))), max(seq) FROM events"
        ).fetchone()
        self._count, self._bytes = int(row[0]), int(row[1])
        # A history that was lost goes on with higher numbers than the old one had: nobody has seen them.
        self._newest = int(row[2]) if row[2] is not None else max(0, int(time.time()))

    def start(self) -> None:
        threading.Thread(target=self._write_on, name="history", daemon=True).start()

    # What others tell

    def record(self, drafts: Iterable[Draft], keep: Optional[Mapping[str, Any]] = None) -> None:
        """Add events, and what is to be remembered once they are written: both are on disk, or neither is."""
        texts = {key: _compact(document) for key, document in (keep or {}).items()}
        with self._queue:
            self._memory.update(texts)
            for draft in drafts:
                if len(self._pending) >= self._limits.pending:
                    self._pending.popleft()
                    self._lost += 1
                self._pending.append(draft)
            self._queue.notify_all()

    def tell(self, kind: str, subject: str, message: str, **data: Any) -> None:
        self.record([Draft(kind, subject, message, data)])

    def remember(self, key: str, document: Any) -> None:
        """Keep a JSON document for the next start; the last one of a key counts."""
        self.record([], {key: document})

    def recall(self, key: str) -> Any:
        """Return what was kept before this start; None where there is nothing, or nothing that can be read."""
        try:
            with self._database:
                row = self._connection.execute("SELECT document FROM memory WHERE key = ?", (key,)).fetchone()
            return json.loads(row[0]) if row else None
        except (sqlite3.Error, ValueError):
            return None

    # What others read

    def read(self, after: int, limit: int = 100) -> EventPage:
        """Give what is kept after a number. 0 asks for all that is kept, so nothing can be missing before it."""
        with self._database:
            oldest, newest = self._connection.execute("SELECT min(seq), max(seq) FROM events").fetchone()
            gap = after > 0 and oldest is not None and (after < oldest - 1 or after > newest)
            begin = after if oldest is None or after <= newest else oldest - 1
            rows = self._connection.execute(
                "SELECT document FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (begin, limit)
            ).fetchall()
        events = [Event.from_dict(json.loads(row[0])) for row in rows]
        return EventPage(events, oldest, newest, events[-1].seq if events else begin, gap)

    @property
    def closed(self) -> bool:
        return self._closed

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called, in the writing thread, after every write; returns what ends that."""
        with self._queue:
            self._wakers.add(wake)
        return lambda: self._wakers.discard(wake)

    # The writing thread

    def close(self) -> None:
        """Write what waits, if the disk takes it, and let followers go."""
        with contextlib.suppress(sqlite3.Error):
            self.write()
        self._closed = True
        with self._queue:
            self._queue.notify_all()
        self._wake()

    def _write_on(self) -> None:
        while not self._closed:
            with self._queue:
                self._queue.wait_for(lambda: self._pending or self._memory or self._closed)
            try:
                self.write()
                self._failed = False
            except sqlite3.Error as error:
                if not self._failed:
                    log.warning("the history cannot be written, its newest part waits in memory: %s", error)
                self._failed = True
                time.sleep(_RETRY_S)

    def write(self) -> None:
        """Write everything that waits in one transaction; what could not be written waits on."""
        with self._database:
            with self._queue:
                drafts, memory, lost = list(self._pending), dict(self._memory), self._lost
                self._pending.clear()
                self._memory.clear()
                self._lost = 0
            try:
                if drafts or memory or lost:
                    self._commit(drafts, memory, lost)
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                self._take_back(drafts, memory, lost)
                raise
        if drafts or lost:
            self._wake()

    def _commit(self, drafts: list[Draft], memory: dict[str, str], lost: int) -> None:
        if lost:
            words = f"{lost} events were lost: the agent's state could not be written"
            drafts = [Draft(LOST, "history", words, {"count": lost}), *drafts]
        rows = [_row(self._newest + index, draft) for index, draft in enumerate(drafts, 1)]
        count, size = self._count + len(rows), self._bytes + sum(len(text.encode()) for _, text in rows)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events (seq, document) VALUES (?, ?)", rows)
        connection.executemany("INSERT OR REPLACE INTO memory (key, document) VALUES (?, ?)", memory.items())
        count, size = self._trim(count, size)
        connection.execute("COMMIT")
        self._newest += len(rows)
        self._count, self._bytes = count, size

    def _trim(self, count: int, size: int) -> tuple[int, int]:
        """Drop the oldest once there is too much, a little more than need be. The newest stays whatever its size."""
        limits = self._limits
        if count <= limits.events and size <= limits.size_bytes:
            return count, size
        keep_count, keep_bytes = limits.events * (1 - _SLACK), limits.size_bytes * (1 - _SLACK)
        rows = self._connection.execute(
            "SELECT seq, length(CAST(document AS BLOB)) FROM events ORDER BY seq"
        ).fetchall()
        last = None
        for seq, length in rows[:-1]:
            if count <= keep_count and size <= keep_bytes:
                break
            count, size, last = count - 1, size - length, seq
        if last is not None:
            self._connection.execute("DELETE FROM events WHERE seq <= ?", (last,))
        return count, size

    def _take_back(self, drafts: list[Draft], memory: dict[str, str], lost: int) -> None:
        with self._queue:
            self._lost += lost
            self._memory = {**memory, **self._memory}
            waiting = [*drafts, *self._pending]
            self._lost += max(0, len(waiting) - self._limits.pending)
            self._pending = deque(waiting[-self._limits.pending :])

    def _wake(self) -> None:
        for wake in list(self._wakers):
            with contextlib.suppress(RuntimeError):  # the follower's loop has ended
                wake()


def _compact(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _row(seq: int, draft: Draft) -> tuple[int, str]:
    message = draft.message if len(draft.message) <= _MESSAGE_LIMIT else draft.message[: _MESSAGE_LIMIT - 1] + "…"
    event = Event(seq, draft.at, draft.kind, draft.subject, message, draft.data)
    return seq, _compact(event.to_dict())


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(str(path))
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):
            log.warning("%s is broken and moved away, the history begins anew: %s", path, error)
            path.replace(path.with_name(path.name + ".broken"))
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return _connect(str(path))
        # The node's health must be told even where nothing can be kept of it.
        log.warning("%s cannot be used, the history is kept in memory only: %s", path, error)
        return _connect(":memory:")


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 1048576")
    if connection.execute("PRAGMA user_version").fetchone()[0] < 1:
        connection.executescript(_SCHEMA)
    connection.execute("SELECT count(*) FROM events").fetchone()
    return connection
