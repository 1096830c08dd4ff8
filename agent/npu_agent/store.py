"""What must survive a crash: workload records and leases in SQLite, every commit on disk before it is answered."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from npu_agent import api, units
from npu_agent.problem import ProblemError

# The steps of a workload's life. A crash between two of them is repaired from the step that was written last.
PULLING = "pulling"  # intent and leases are on disk, the image is being brought
RESERVED = "reserved"  # intent and leases are on disk, the container may not exist
CREATED = "created"  # the container exists, it may not be started
STARTED = "started"  # Docker has started it; what became of it is observed
FINISHED = "finished"  # it ended for good and its leases are released; the container is kept for its logs
FAILED = "failed"  # there is no container (any more) and the reason says why
REMOVING = "removing"  # a DELETE was accepted and is being carried out

LEASE_RESERVED = "reserved"
LEASE_HELD = "held"
LEASE_RELEASING = "releasing"

# Later versions only add tables and columns, so that an older agent (a rollback is one link) reads a newer file.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS workloads (
    name TEXT PRIMARY KEY, phase TEXT NOT NULL, spec_sha256 TEXT NOT NULL, document TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (
    npu INTEGER PRIMARY KEY, workload TEXT NOT NULL REFERENCES workloads (name),
    since TEXT NOT NULL, state TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reservations (id TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reserved_npus (
    npu INTEGER PRIMARY KEY, reservation TEXT NOT NULL REFERENCES reservations (id) ON DELETE CASCADE
);
CREATE TABLE IF NOT EXISTS marks (
    kind TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""
_VERSION = 2


@dataclass(frozen=True)
class Record:
    """One workload as it is kept: what was asked, what it became, and how far it got."""

    name: str
    phase: str
    spec_sha256: str
    spec: dict[str, Any]
    plan: dict[str, Any]  # the exact body for Docker's create call
    resolved: dict[str, Any]
    npus: list[int]
    notes: list[str] = field(default_factory=list)
    stop_grace_s: int = 30
    container_id: Optional[str] = None
    exit_code: Optional[int] = None
    started_at: Optional[str] = None
    finished_at: Optional[str] = None
    reason: str = ""
    restart: dict[str, Any] = field(default_factory=dict)  # the policy that the agent follows; none for adopted ones
    restarts: int = 0  # in a row, against the budget
    restart_due: Optional[dict[str, Any]] = None  # of the clock that survives jumps: boot_id and at_s
    run_since: Optional[dict[str, Any]] = None  # the same, for the last start
    probe_failed: bool = False  # it was stopped because its probe failed
    mounts: list[dict[str, str]] = field(default_factory=list)  # what was checked: see mounts.py
    generation: int = 0  # see generations.py

    @classmethod
    def from_document(cls, text: str) -> Record:
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in json.loads(text).items() if key in known})


class LeaseConflictError(Exception):
    """Somebody else, a workload or a reservation, has this NPU."""

    def __init__(self, npu: int, owner: str, kind: str = "workload") -> None:
        super().__init__(f"NPU {npu} is leased to {owner}" if kind == "workload" else f"NPU {npu} is reserved: {owner}")
        self.npu = npu
        self.owner = owner
        self.kind = kind


Check = Callable[[sqlite3.Connection], None]


def check_lease(connection: sqlite3.Connection, npu: int, workload: Optional[str]) -> None:
    row = connection.execute("SELECT workload FROM leases WHERE npu = ?", (npu,)).fetchone()
    if row is not None and row[0] != workload:
        raise LeaseConflictError(npu, row[0])


class Store:
    """One connection, one lock: commits take half a millisecond and nobody waits for more than one."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._make()

    def _make(self) -> None:
        """Write nothing to a file that is made: the agent starts on a full disk too, and a newer file stays new."""
        if self._connection.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
            self._connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. A disk that is full or broken refuses the change and loses nothing that was there."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _not_writable(error) from error
                raise

    def _write(self, connection: sqlite3.Connection, record: Record) -> None:
        connection.execute(
            "INSERT INTO workloads (name, phase, spec_sha256, document) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET phase = excluded.phase, spec_sha256 = excluded.spec_sha256,"
            " document = excluded.document",
            (record.name, record.phase, record.spec_sha256, json.dumps(dataclasses.asdict(record))),
        )

    def reserve(
        self,
        record: Record,
        state: str = LEASE_RESERVED,
        also: Optional[Check] = None,
        number: Optional[Callable[[sqlite3.Connection], int]] = None,
    ) -> Record:
        """Write the intent and the leases of all its NPUs, or raise LeaseConflictError and write nothing.

        `also` is looked at inside of the same transaction, and `number` gives the record its generation there.
        """
        with self.transaction() as connection:
            if also is not None:
                also(connection)
            if number is not None:
                record = dataclasses.replace(record, generation=number(connection))
            self._write(connection, record)
            for npu in record.npus:
                check_lease(connection, npu, record.name)
                connection.execute(
                    "INSERT OR IGNORE INTO leases (npu, workload, since, state) VALUES (?, ?, ?, ?)",
                    (npu, record.name, units.utc_now(), state),
                )
        return record

    def save(self, record: Record, lease_state: Optional[str] = None) -> Record:
        with self.transaction() as connection:
            self._write(connection, record)
            if lease_state is not None:
                connection.execute("UPDATE leases SET state = ? WHERE workload = ?", (lease_state, record.name))
        return record

    def save_and_release(self, record: Record) -> Record:
        """Only for a container that is really gone, or ended for good."""
        with self.transaction() as connection:
            self._write(connection, record)
            connection.execute("DELETE FROM leases WHERE workload = ?", (record.name,))
        return record

    def forget(self, name: str) -> None:
        with self.transaction() as connection:
            connection.execute("DELETE FROM leases WHERE workload = ?", (name,))
            connection.execute("DELETE FROM workloads WHERE name = ?", (name,))

    def get(self, name: str) -> Optional[Record]:
        with self._lock:
            row = self._connection.execute("SELECT document FROM workloads WHERE name = ?", (name,)).fetchone()
        return Record.from_document(row[0]) if row else None

    def records(self) -> list[Record]:
        with self._lock:
            rows = self._connection.execute("SELECT document FROM workloads ORDER BY name").fetchall()
        return [Record.from_document(row[0]) for row in rows]

    # Small documents of other concerns: reservations, cordons, the drain

    def query(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def mark(self, kind: str, key: str, document: dict[str, Any]) -> None:
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", (kind, key, json.dumps(document)))

    def unmark(self, kind: str, keys: Sequence[str]) -> None:
        with self.transaction() as connection:
            connection.executemany("DELETE FROM marks WHERE kind = ? AND key = ?", [(kind, key) for key in keys])

    def marks(self, kind: str) -> dict[str, dict[str, Any]]:
        rows = self.query("SELECT key, document FROM marks WHERE kind = ? ORDER BY key", (kind,))
        return {key: json.loads(document) for key, document in rows}

    def leases(self) -> list[api.Lease]:
        with self._lock:
            rows = self._connection.execute("SELECT npu, workload, since, state FROM leases ORDER BY npu").fetchall()
        return [api.Lease(*row) for row in rows]


def _not_writable(error: sqlite3.Error) -> ProblemError:
    return ProblemError(
        503,
        api.CODE_STATE_WRITE,
        f"The agent cannot write its state: {error}. Nothing was changed.",
        "Free space on the file system of the agent's state directory, then try again.",
    )
