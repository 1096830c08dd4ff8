"""NPUs kept for a workload still to come: so that a job over several nodes starts on all of them or on none.

The time limit counts on the clock that no step of the wall clock moves. A reboot ends every reservation: whoever made
one waits for an answer of seconds, and nothing of it runs yet.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Protocol

from npu_agent import api, units
from npu_agent.problem import ProblemError, invalid
from npu_agent.store import LeaseConflictError, Store, check_lease

log = logging.getLogger(__name__)

TTL_DEFAULT_S = 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Clock(Protocol):
    """See clock.BootClock."""

    boot_id: str

    def now_s(self) -> float: ...


class Reservations:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def all(self) -> list[api.Reservation]:
        """Those that are still good; what is over is over, even where the disk is too full to say so."""
        rows = self._store.query("SELECT id, document FROM reservations ORDER BY id")
        found = [(name, json.loads(document)) for name, document in rows]
        return [self._told(name, document) for name, document in found if self._left_s(document) > 0]

    def get(self, name: str) -> Optional[api.Reservation]:
        return next((one for one in self.all() if one.reservation == name), None)

    def reserve(self, name: str, npus: Sequence[int], ttl_s: int) -> api.Reservation:
        """All of the NPUs or none; LeaseConflictError names who has one of them."""
        check_name(name)
        document = {
            "npus": sorted(npus),
            "ttl_s": ttl_s,
            "boot_id": self._clock.boot_id,
            "until_s": self._clock.now_s() + ttl_s,
            "since": units.utc_now(),
        }
        with self._store.transaction() as connection:
            self._drop_expired(connection)
            for npu in npus:
                check_lease(connection, npu, None)
                _check_reserved(connection, npu, name)
            connection.execute("DELETE FROM reserved_npus WHERE reservation = ?", (name,))
            connection.execute("INSERT OR REPLACE INTO reservations VALUES (?, ?)", (name, json.dumps(document)))
            connection.executemany("INSERT INTO reserved_npus VALUES (?, ?)", [(npu, name) for npu in npus])
        log.info("NPUs %s are reserved for %s, for %d s", sorted(npus), name, ttl_s)
        return self._told(name, document)

    def renew(self, reservation: api.Reservation, ttl_s: int) -> api.Reservation:
        return self.reserve(reservation.reservation, reservation.npus, ttl_s)

    def cancel(self, name: str) -> bool:
        with self._store.transaction() as connection:
            return connection.execute("DELETE FROM reservations WHERE id = ?", (name,)).rowcount > 0

    def expire(self) -> None:
        """Forget what is over; called at every cycle, and it writes only where there is something to forget."""
        rows = self._store.query("SELECT id, document FROM reservations")
        if any(self._left_s(json.loads(document)) <= 0 for _, document in rows):
            with self._store.transaction() as connection:
                self._drop_expired(connection)

    def settle(self, connection: sqlite3.Connection, npus: Sequence[int], taken: Optional[str]) -> None:
        """For the transaction that leases `npus`: use up the reservation `taken`, let others' stand in the way."""
        self._drop_expired(connection)
        if taken is not None and not connection.execute("DELETE FROM reservations WHERE id = ?", (taken,)).rowcount:
            raise gone(taken)
        for npu in npus:
            _check_reserved(connection, npu, None)

    def _drop_expired(self, connection: sqlite3.Connection) -> None:
        for name, document in connection.execute("SELECT id, document FROM reservations").fetchall():
            if self._left_s(json.loads(document)) <= 0:
                connection.execute("DELETE FROM reservations WHERE id = ?", (name,))
                log.info("the reservation %s is over", name)

    def _left_s(self, document: Mapping[str, Any]) -> float:
        if document.get("boot_id") != self._clock.boot_id:
            return 0.0
        return max(0.0, float(document["until_s"]) - self._clock.now_s())

    def _told(self, name: str, document: Mapping[str, Any]) -> api.Reservation:
        left = round(self._left_s(document), 1)
        return api.Reservation(name, list(document["npus"]), int(document["ttl_s"]), left, document.get("since"))


def _check_reserved(connection: sqlite3.Connection, npu: int, own: Optional[str]) -> None:
    row = connection.execute("SELECT reservation FROM reserved_npus WHERE npu = ?", (npu,)).fetchone()
    if row is not None and row[0] != own:
        raise LeaseConflictError(npu, row[0], "reservation")


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise invalid("reservation", "A reservation's name has 1 to 128 letters, digits, dots, dashes and underscores.")


def gone(name: str) -> ProblemError:
    return ProblemError(
        409,
        api.CODE_RESERVATION_GONE,
        f"There is no reservation {name} on this node: its time limit is over, it was used or cancelled.",
        "Cancel what the other nodes still keep, then reserve again on all of them.",
        field="reservation",
    )


def mismatch(reservation: api.Reservation, asked: Any) -> ProblemError:
    return ProblemError(
        409,
        api.CODE_RESERVATION_OTHER,
        f"The reservation {reservation.reservation} keeps the NPUs {', '.join(map(str, reservation.npus))};"
        f" the spec asks {asked}.",
        "Ask in the spec what was reserved.",
        field="npus",
    )
