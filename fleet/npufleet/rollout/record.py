"""The record of all rollouts of one inventory: SQLite beside it, every write on the disk before the next step.

It lies in the inventory's folder `runs`, which Ansible leaves out: whoever operates this fleet meets the same record,
from whatever checkout. A write is one transaction, and a state that may not follow the one before is refused.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from npufleet.errors import NpufleetError
from npufleet.rollout import states
from npufleet.rollout.rows import NodeRow, RolloutRow

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rollouts (
  number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, created TEXT NOT NULL, since TEXT NOT NULL,
  inventory TEXT NOT NULL, revision TEXT NOT NULL, back TEXT NOT NULL, settings TEXT NOT NULL,
  state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', direction TEXT NOT NULL DEFAULT 'forward',
  ends_as TEXT NOT NULL DEFAULT '', promoted INTEGER NOT NULL DEFAULT 0, wish TEXT NOT NULL DEFAULT '',
  asks TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS nodes (
  rollout TEXT NOT NULL, node TEXT NOT NULL, place INTEGER NOT NULL, batch INTEGER NOT NULL, state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '', since TEXT NOT NULL, cordon TEXT NOT NULL DEFAULT '',
  changed INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0, inconclusive INTEGER NOT NULL DEFAULT 0,
  boot_id TEXT NOT NULL DEFAULT '', again INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (rollout, node));
CREATE TABLE IF NOT EXISTS sessions (
  number INTEGER PRIMARY KEY, rollout TEXT NOT NULL, kind TEXT NOT NULL, operator TEXT NOT NULL, host TEXT NOT NULL,
  pid INTEGER NOT NULL, started TEXT NOT NULL, ended TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS steps (
  number INTEGER PRIMARY KEY, rollout TEXT NOT NULL, session INTEGER NOT NULL, at TEXT NOT NULL, node TEXT NOT NULL,
  what TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failures (at_s REAL NOT NULL, node TEXT NOT NULL, rollout TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS revisions (digest TEXT PRIMARY KEY, document TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stable (inventory TEXT PRIMARY KEY, digest TEXT NOT NULL, since TEXT NOT NULL);
"""


class RecordError(NpufleetError):
    code = "rollout-record"


class Record:
    """`after_write` is called when a write is on the disk: tests end the program there."""

    def __init__(self, path: Path, *, after_write: Callable[[], None] = lambda: None) -> None:
        self._after_write = after_write
        self.session = 0
        self.news: list[str] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=15)
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise RecordError(
                f"The record of rollouts, {path}, cannot be used: {error}.",
                remedy="Make the inventory's folder writable for you; it must lie on a local disk.",
            ) from None

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        self._after_write()

    # Reading

    def rollouts(self) -> list[RolloutRow]:
        return [RolloutRow.of(row) for row in self._db.execute("SELECT * FROM rollouts ORDER BY number")]

    def rollout(self, wanted: str | None = None) -> RolloutRow:
        """One rollout by its id or its number; the latest where none is named."""
        found = [one for one in self.rollouts() if wanted in {None, one.id, str(one.number)}]
        if not found:
            raise RecordError(
                f"There is no rollout {wanted}." if wanted else "There has been no rollout of this inventory.",
                code="rollout-unknown",
                remedy="See npufleet rollout history.",
            )
        return found[-1]

    def nodes(self, rollout: str) -> list[NodeRow]:
        rows = self._db.execute("SELECT * FROM nodes WHERE rollout = ? ORDER BY batch, place", (rollout,))
        return [NodeRow.of(row) for row in rows]

    def steps(self, rollout: str) -> list[dict[str, Any]]:
        rows = self._db.execute("SELECT * FROM steps WHERE rollout = ? ORDER BY number", (rollout,))
        return [dict(row) for row in rows]

    def sessions(self, rollout: str) -> list[dict[str, Any]]:
        rows = self._db.execute("SELECT * FROM sessions WHERE rollout = ? ORDER BY number", (rollout,))
        return [dict(row) for row in rows]

    def revision(self, digest: str) -> dict[str, Any]:
        row = self._db.execute("SELECT document FROM revisions WHERE digest = ?", (digest,)).fetchone()
        found: dict[str, Any] = json.loads(row["document"])
        return found

    def stable(self, inventory: str) -> str | None:
        row = self._db.execute("SELECT digest FROM stable WHERE inventory = ?", (inventory,)).fetchone()
        return None if row is None else str(row["digest"])

    def failed_since(self, at_s: float) -> set[str]:
        rows = self._db.execute("SELECT node FROM failures WHERE at_s >= ?", (at_s,))
        return {str(row["node"]) for row in rows}

    # Writing

    def create(self, new: RolloutRow, batches: Iterable[Iterable[str]], revisions: Mapping[str, Any]) -> RolloutRow:
        """Write a new rollout, all of it or nothing."""
        with self._write() as db:
            number = int(db.execute("SELECT coalesce(max(number), 0) + 1 FROM rollouts").fetchone()[0])
            made = new.numbered(number, now())
            for digest, document in revisions.items():
                db.execute("INSERT OR IGNORE INTO revisions VALUES (?, ?, ?)", (digest, json.dumps(document), now()))
            db.execute(
                "INSERT INTO rollouts (number, id, created, since, inventory, revision, back, settings, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, made.id, made.created, now(), made.inventory, made.revision, made.back,
                 json.dumps(made.settings), made.state),
            )  # fmt: skip
            places = [(batch, name) for batch, names in enumerate(batches) for name in names]
            db.executemany(
                "INSERT INTO nodes (rollout, node, place, batch, state, since) VALUES (?, ?, ?, ?, 'pending', ?)",
                [(made.id, name, place, batch, now()) for place, (batch, name) in enumerate(places)],
            )
        return made

    def begin_session(self, rollout: str, kind: str, who: tuple[str, str, int]) -> None:
        with self._write() as db:
            cursor = db.execute(
                "INSERT INTO sessions (rollout, kind, operator, host, pid, started) VALUES (?, ?, ?, ?, ?, ?)",
                (rollout, kind, *who, now()),
            )
            self.session = int(cursor.lastrowid or 0)

    def end_session(self, outcome: str) -> None:
        with self._write() as db:
            db.execute("UPDATE sessions SET ended = ?, outcome = ? WHERE number = ?", (now(), outcome, self.session))

    def turn(self, rollout: str, state: str, reason: str = "", **more: Any) -> None:
        """Bring the rollout into another state, together with whatever else becomes true with it."""
        with self._write() as db:
            before = str(db.execute("SELECT state FROM rollouts WHERE id = ?", (rollout,)).fetchone()["state"])
            states.check(states.ROLLOUT, before, state)
            _update(db, "rollouts", {"state": state, "reason": reason, "since": now(), **more}, {"id": rollout})
            self._step(db, rollout, "", state, reason)

    def change(self, rollout: str, **values: Any) -> None:
        with self._write() as db:
            _update(db, "rollouts", values, {"id": rollout})

    def move(self, rollout: str, names: Iterable[str], state: str, reason: str = "", **more: Any) -> None:
        """Bring some nodes into another state in one write."""
        wanted = list(names)
        if not wanted:
            return
        with self._write() as db:
            for name in wanted:
                where = {"rollout": rollout, "node": name}
                row = db.execute("SELECT state FROM nodes WHERE rollout = :rollout AND node = :node", where).fetchone()
                states.check(states.NODE, str(row["state"]), state)
                _update(db, "nodes", {"state": state, "reason": reason, "since": now(), **more}, where)
                self._step(db, rollout, name, state, reason)
                if state in states.BAD:
                    db.execute("INSERT INTO failures VALUES (?, ?, ?)", (time.time(), name, rollout))

    def note(self, rollout: str, names: Iterable[str], **values: Any) -> None:
        """Write something about nodes that stay in their state."""
        wanted = list(names)
        if wanted:
            with self._write() as db:
                for name in wanted:
                    _update(db, "nodes", values, {"rollout": rollout, "node": name})

    def tell(self, rollout: str, node: str, what: str, reason: str = "") -> None:
        with self._write() as db:
            self._step(db, rollout, node, what, reason)

    def turn_back(
        self,
        rollout: str,
        batches: Iterable[Iterable[str]],
        unchanged: Iterable[str],
        failed: Iterable[str],
        **more: Any,
    ) -> None:
        """Set out on the way back in one write: changed nodes are to be reverted, the others stay as they are."""
        with self._write() as db:
            _update(db, "rollouts", {"direction": "back", "since": now(), **more}, {"id": rollout})
            for batch, names in enumerate(batches):
                for name in names:
                    values = {"state": states.PENDING, "batch": batch, "reason": "", "accepted": 0, "inconclusive": 0}
                    _update(db, "nodes", {**values, "since": now()}, {"rollout": rollout, "node": name})
            for name in unchanged:
                values = {"state": states.SKIPPED, "reason": "was not changed", "accepted": 0}
                _update(db, "nodes", {**values, "since": now()}, {"rollout": rollout, "node": name})
            for name in failed:
                _update(db, "nodes", {"accepted": 1}, {"rollout": rollout, "node": name})
            self._step(db, rollout, "", "turns back", str(more.get("reason", "")))

    def set_stable(self, inventory: str, digest: str) -> None:
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO stable VALUES (?, ?, ?)", (inventory, digest, now()))

    def forget_failures(self) -> None:
        """Reset the circuit breaker."""
        with self._write() as db:
            db.execute("DELETE FROM failures")

    def _step(self, db: sqlite3.Connection, rollout: str, node: str, what: str, reason: str) -> None:
        db.execute(
            "INSERT INTO steps (rollout, session, at, node, what, reason) VALUES (?, ?, ?, ?, ?, ?)",
            (rollout, self.session, now(), node, what, reason),
        )
        self.news.append(f"{node or rollout}: {what}{f': {reason}' if reason else ''}")


def _update(db: sqlite3.Connection, table: str, values: Mapping[str, Any], where: Mapping[str, Any]) -> None:
    """Names of columns come from this program's own code, values never into the statement."""
    sets = ", ".join(f"{name} = :{name}" for name in values)
    keys = " AND ".join(f"{name} = :where_{name}" for name in where)
    given = {**values, **{f"where_{name}": value for name, value in where.items()}}
    db.execute(f"UPDATE {table} SET {sets} WHERE {keys}", given)  # noqa: S608  # see the docstring


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
