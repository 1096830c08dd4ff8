"""Which spec of a workload somebody means: a number that only grows on a node, and conditions on it.

Numbers are the node's, not the name's: a workload that was deleted and put again is told from the one before it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Optional

from npu_agent import api
from npu_agent.problem import ProblemError
from npu_agent.store import Record

_KIND = "counter"
_KEY = "generation"
_DIGITS_SHOWN = 16


def take(connection: sqlite3.Connection) -> int:
    """Give the next number; inside of the transaction that writes the workload, so that none is given twice."""
    row = connection.execute("SELECT document FROM marks WHERE kind = ? AND key = ?", (_KIND, _KEY)).fetchone()
    number = (int(json.loads(row[0])["last"]) if row else 0) + 1
    document = json.dumps({"last": number})
    connection.execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", (_KIND, _KEY, document))
    return number


def tag(generation: int, sha256: str) -> str:
    """The entity tag of a spec. It says nothing of readings, which change all the time."""
    return f'"{generation}-{sha256[:_DIGITS_SHOWN]}"'


@dataclass(frozen=True)
class Condition:
    """What must be so for a change to be made: `match` and `none_match` as in If-Match and If-None-Match."""

    match: Optional[str] = None
    none_match: Optional[str] = None

    def check(self, name: str, record: Optional[Record]) -> None:
        """Raise 412 where it is not so; called while nobody else can change the workload."""
        now = None if record is None else tag(record.generation, record.spec_sha256)
        if self.match is not None and not _covers(self.match, now):
            raise _failed(name, now)
        if self.none_match is not None and _covers(self.none_match, now):
            raise _failed(name, now)


ANY = Condition()


def _covers(asked: str, now: Optional[str]) -> bool:
    if now is None:
        return False
    return asked.strip() == "*" or now in [one.strip() for one in asked.split(",")]


def _failed(name: str, now: Optional[str]) -> ProblemError:
    found = f"There is no workload {name}" if now is None else f"The workload {name} is at {now}"
    return ProblemError(
        412,
        api.CODE_PRECONDITION,
        f"{found}, which is not what the request's condition asks for. Nothing was changed.",
        "Read the workload again and decide anew; an ETag is sent back with its quotation marks.",
    )
