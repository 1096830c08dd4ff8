"""Empties the node: no new work, and what runs is waited for, stopped at once, or stopped at a deadline.

A workload that is stopped keeps its record and its container, for its logs: only its NPUs are given back. What is not
the agent's own is never stopped, but the drain says that it is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Optional

from npu_agent import api, store, units
from npu_agent.cordons import Cordons
from npu_agent.problem import ProblemError, invalid
from npu_agent.reservations import Clock, Reservations
from npu_agent.store import Store

log = logging.getLogger(__name__)

KIND = "drain"
_KEY = "node"
_AT_WORK = frozenset({store.PULLING, store.RESERVED, store.CREATED, store.STARTED, store.REMOVING})


class Drain:
    """Its deadline counts on the clock that survives jumps, and begins anew after a reboot: never earlier than said."""

    def __init__(self, records: Store, cordons: Cordons, reservations: Reservations, clock: Clock) -> None:
        self._store = records
        self._cordons = cordons
        self._reservations = reservations
        self._clock = clock

    def put(self, owner: str, reason: str, mode: str, deadline_s: Optional[int]) -> bool:
        """Begin, or change one's own. Gives whether anything changed; another owner's drain is a refusal."""
        if mode == api.DRAIN_DELETE_AFTER_TIMEOUT and deadline_s is None:
            raise invalid("deadline_s", f"{mode} needs a deadline.", "Give deadline_s.")
        now = self._document()
        if now is not None and now["owner"] != owner:
            raise _anothers(now)
        changed = self._cordons.put(owner, reason)
        asked = {"owner": owner, "reason": reason, "mode": mode, "deadline_s": deadline_s}
        if now is not None and all(now.get(key) == value for key, value in asked.items()):
            return changed
        begun = {"boot_id": self._clock.boot_id, "begun_s": self._clock.now_s(), "since": units.utc_now()}
        self._store.mark(KIND, _KEY, {**asked, **begun})
        log.info("%s drains the node (%s)", owner, mode)
        return True

    def cancel(self, owner: str, *, force: bool = False) -> bool:
        """End the drain; the cordon stays until its owner lifts it."""
        now = self._document()
        if now is None:
            return False
        if now["owner"] != owner and not force:
            raise _anothers(now)
        self._store.unmark(KIND, [_KEY])
        log.info("the drain of %s is cancelled by %s", now["owner"], owner)
        return True

    def uncordoned(self, owner: str, *, force: bool) -> None:
        """Whoever lifts the cordon of a drain ends the drain with it."""
        now = self._document()
        if now is not None and (force or now["owner"] == owner):
            self._store.unmark(KIND, [_KEY])

    @property
    def active(self) -> Optional[str]:
        """Who drains, or None."""
        now = self._document()
        return None if now is None else str(now["owner"])

    def step(self, stop: Callable[[str, str], None]) -> None:
        """One look, at every cycle: `stop` is called with the name and the reason of what must go now."""
        now = self._document()
        if now is None:
            return
        left = self._left_s(now)
        due = now["mode"] == api.DRAIN_DELETE_AFTER_TIMEOUT and left is not None and left <= 0
        if now["mode"] != api.DRAIN_IMMEDIATE and not due:
            return
        for kept in self._reservations.all():
            self._reservations.cancel(kept.reservation)
        for record in self._store.records():
            if record.phase in _AT_WORK - {store.REMOVING}:
                stop(record.name, f"stopped: the node is drained by {now['owner']}")

    def told(self, npus: Iterable[api.Npu]) -> api.Drain:
        now = self._document()
        if now is None:
            return api.Drain()
        waiting = self._waiting(npus)
        left = self._left_s(now)
        state = "draining" if waiting else "drained"
        if waiting and left is not None and left <= 0:
            state = "overdue"
        return api.Drain(
            state=state,
            owner=now["owner"],
            mode=now["mode"],
            reason=now["reason"],
            deadline_s=now["deadline_s"],
            remaining_s=None if left is None else round(left, 1),
            since=now["since"],
            waiting_for=waiting,
        )

    def _waiting(self, npus: Iterable[api.Npu]) -> list[str]:
        found = [f"workload {record.name}" for record in self._store.records() if record.phase in _AT_WORK]
        found += [f"reservation {kept.reservation}" for kept in self._reservations.all()]
        foreign = [npu.holder for npu in npus if npu.holder is not None]
        found += [holder.sentence() for holder in foreign if holder.kind not in {"workload", "reservation"}]
        return list(dict.fromkeys(found))

    def _document(self) -> Optional[dict[str, Any]]:
        return self._store.marks(KIND).get(_KEY)

    def _left_s(self, document: dict[str, Any]) -> Optional[float]:
        if document["deadline_s"] is None:
            return None
        if document["boot_id"] != self._clock.boot_id:
            document.update(boot_id=self._clock.boot_id, begun_s=self._clock.now_s())
            self._store.mark(KIND, _KEY, document)
        return max(0.0, float(document["begun_s"]) + float(document["deadline_s"]) - self._clock.now_s())


def _anothers(document: dict[str, Any]) -> ProblemError:
    return ProblemError(
        409,
        api.CODE_CORDON_OWNER,
        f"The node is drained by {document['owner']}.",
        "Let it finish or cancel it, or force it if you are sure.",
    )
