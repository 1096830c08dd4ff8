"""Records against reality, every cycle: finish what a crash interrupted, adopt what is ours, release what is gone."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterable
from typing import Optional

from npu_agent import api, engine, lifecycle, restarts, store
from npu_agent.engine import Container
from npu_agent.problem import ProblemError
from npu_agent.show import exit_reason
from npu_agent.store import Record
from npu_agent.workloads import NotThereError, Workloads

log = logging.getLogger(__name__)

Background = Callable[[Callable[[], None]], object]


class Reconciler:
    """Works on a list that may be seconds old: nothing is released or removed before a second look under the lock."""

    def __init__(self, workloads: Workloads, background: Background) -> None:
        self._all = workloads
        self._background = background

    def run(self, containers: Iterable[Container]) -> None:
        self._tidy()
        ours = {c.workload: c for c in containers if c.workload}
        records = {record.name: record for record in self._all.store.records()}
        for name, record in records.items():
            self._quietly(name, lambda record=record: self._one(record, ours.get(record.name)))  # type: ignore[misc]  # bound now
        for name, container in ours.items():
            if name not in records:
                self._quietly(name, lambda name=name, container=container: self._adopt(name, container))  # type: ignore[misc]  # bound now

    def _tidy(self) -> None:
        """What is over is forgotten, and a drain takes its next step."""
        try:
            self._all.reservations.expire()
            self._all.drain.step(self._stop)
        except ProblemError as error:
            log.warning("%s", error)

    def _stop(self, name: str, reason: str) -> None:
        def action() -> None:
            with contextlib.suppress(NotThereError):
                self._all.stop(name, reason, wait_s=0)

        self._background(lambda: self._quietly(name, action))

    def blind(self) -> None:
        """Docker does not answer: nothing is repaired, and nothing is told as if it were seen."""
        self._all.unseen()

    @staticmethod
    def _quietly(name: str, action: Callable[[], None]) -> None:
        """One workload's trouble must not keep the others from being looked after; a locked one is being changed."""
        try:
            action()
        except ProblemError as error:
            if error.problem.code != api.CODE_WORKLOAD_BUSY:
                log.warning("workload %s: %s", name, error)
        except engine.EngineError as error:
            log.warning("workload %s: %s", name, error)

    def _one(self, record: Record, listed: Optional[Container]) -> None:
        runs_on = (
            record.phase == store.STARTED
            and listed is not None
            and not listed.ended_for_good
            and record.restart_due is None
        )
        ended = record.phase in {store.FINISHED, store.FAILED} and (listed is None or not listed.active)
        if runs_on or ended:
            self._all.publish(record, listed)
            if runs_on and listed is not None:
                self._look_inside(record, listed)
        elif self._all.leaves(record):
            self._all.publish(record, listed)
            self._background(lambda: self._quietly(record.name, lambda: self._remove(record.name)))
        elif record.phase == store.PULLING:
            self._all.fetch(record)
        else:
            self._settle(record.name)

    def _look_inside(self, record: Record, container: Container) -> None:
        look = self._all.insight.begin(record, container) if container.state == "running" else None
        if look is not None:
            self._background(look)

    def _remove(self, name: str) -> None:
        with self._all.locked(name, 0):
            record = self._all.store.get(name)
            if record is not None and self._all.leaves(record):
                self._all.lifecycle.take_down(record, record.stop_grace_s, record.reason)
                self._all.freed(record)

    def _settle(self, name: str) -> None:
        with self._all.locked(name, 0):
            record = self._all.store.get(name)
            if record is None:
                return
            container = self._all.lifecycle.find(record)
            if record.phase in {store.RESERVED, store.CREATED}:
                self._resume(record, container)
            elif record.phase in {store.FINISHED, store.FAILED}:
                self._revived(record, container)
            elif record.phase == store.STARTED:
                self._judge(record, container)

    def _resume(self, record: Record, container: Optional[Container]) -> None:
        """A crash came between the intent and the start: go on, unless somebody has taken the NPUs meanwhile.

        What Docker has started already is never stopped for a newcomer: that conflict is told, not solved.
        """
        if container is not None and container.state != "created":
            started = dataclasses.replace(record, container_id=container.id)
            self._judge(self._all.lifecycle.started(started), container)
            return
        taken = self._all.intake.taken(record, container.id if container is not None else None)
        if taken is not None:
            self._fail(record, f"NPU {taken[0]} was taken by {taken[1]} before it could be started")
            return
        if self._all.waits_for_health(record, container):
            return
        log.info("workload %s: an interrupted start is resumed", record.name)
        try:
            record = self._all.lifecycle.bring_up(record)
        except (engine.RefusedError, engine.NotFoundError) as error:
            self._fail(record, f"Docker refused to start it: {error}")
            return
        self._all.look(record.name)

    def _fail(self, record: Record, reason: str) -> None:
        self._all.publish(self._all.lifecycle.fail(record, reason), None)
        self._all.mark_released(record.npus)
        self._all.on_change("failed", f"workload {record.name}: {reason}")

    def _judge(self, record: Record, container: Optional[Container]) -> None:
        if container is None:
            gone = dataclasses.replace(
                record,
                phase=store.FAILED,
                container_id=None,
                reason="its container is gone: it was removed without the agent",
            )
            self._all.publish(self._all.store.save_and_release(gone), None)
        elif container.ended_for_good:
            self._ended(record, container)
            return
        else:
            if record.restart_due is not None:  # it was started, and the agent died before it could write so
                record = self._all.lifecycle.started(record)
            self._all.publish(record, container)
            return
        self._gone(record)

    def _ended(self, record: Record, container: Container) -> None:
        """It ended by itself: start it again when its policy and the node allow it, or let it rest for good."""
        left = restarts.left_s(record, self._all.clock)
        if (owner := self._all.drain.active) is not None and restarts.wanted(record, container.exit_code):
            words = f"{exit_reason(container)}; not restarted, because {owner} drains the node"
            self._finish(record, container, words)
        elif left is None:
            words = f"{record.reason}; {exit_reason(container)}" if record.probe_failed else exit_reason(container)
            again = self._plan_restart(record, container, container.exit_code, words)
            if again is not None and not restarts.left_s(again, self._all.clock):
                self._restart(again, container)
        elif left > 0:
            self._all.publish(record, container)
        else:
            self._restart(record, container)

    def _plan_restart(self, record: Record, container: Container, code: Optional[int], words: str) -> Optional[Record]:
        """Write down when it is started again, or let it rest for good."""
        again = restarts.after_end(record, code, self._all.clock)
        if again is None:
            spent = restarts.wanted(record, code)
            self._finish(record, container, f"{words}; its restart budget is spent" if spent else words)
            return None
        reason = f"{words}; {restarts.sentence(again, self._all.clock)}"
        again = self._all.store.save(dataclasses.replace(again, reason=reason))
        self._all.publish(again, container)
        self._all.on_change("restart-planned", f"workload {record.name}: {reason}")
        return again

    def _restart(self, record: Record, container: Container) -> None:
        waits = self._all.intake.restart_waits_for(record, container.id)
        if waits is not None:
            reason = f"{exit_reason(container)}; its restart waits: {waits}"
            if record.reason != reason:
                record = self._all.store.save(dataclasses.replace(record, reason=reason))
            self._all.publish(record, container)
            return
        try:
            self._all.lifecycle.restart(record)
        except (engine.RefusedError, engine.NotFoundError) as error:
            words = f"Docker refused to restart it: {error}"
            self._plan_restart(dataclasses.replace(record, restart_due=None), container, None, words)
            return
        self._all.on_change("restarted", f"workload {record.name} is restarted")
        self._all.look(record.name)

    def _finish(self, record: Record, container: Container, reason: str) -> None:
        ended = lifecycle.ended(record, container, reason)
        self._all.publish(self._all.store.save_and_release(ended), container)
        self._gone(record)

    def _gone(self, record: Record) -> None:
        self._all.mark_released(record.npus)
        self._all.on_change("ended", f"workload {record.name} ended, NPUs {record.npus} are free")
        log.info("workload %s ended, NPUs %s are free", record.name, record.npus)

    def _revived(self, record: Record, container: Optional[Container]) -> None:
        """Somebody started the kept container by hand: it gets its leases back if they are free."""
        if container is not None and container.active:
            again = dataclasses.replace(record, phase=store.STARTED, container_id=container.id, reason="")
            self._take(again)
            record = self._all.store.get(record.name) or record
        self._all.publish(record, container)

    def _adopt(self, name: str, container: Container) -> None:
        """A container with our labels and no record: the state was lost. It stays as it is."""
        with self._all.locked(name, 0):
            if self._all.store.get(name) is not None:
                return
            try:
                current = self._all.engine.inspect(container.id)
            except engine.NotFoundError:  # it was removed since it was listed
                return
            npus = sorted(current.npus)
            record = Record(
                name=name,
                phase=store.STARTED,
                spec_sha256=current.labels.get(api.LABEL_SPEC, ""),
                spec={"name": name, "image": current.image, "npus": npus},
                plan={},
                resolved={},
                npus=npus,
                notes=["adopted: its container was found without a record, so the spec is told only in part"],
                container_id=current.id,
            )
            if not self._take(record):
                # On record all the same, so that it can be removed; the lease is tried for at every cycle.
                record = self._all.store.save(dataclasses.replace(record, phase=store.FINISHED))
            self._all.publish(record, current)
            log.warning("workload %s: its container was found without a record and is adopted", name)

    def _take(self, record: Record) -> bool:
        try:
            self._all.store.reserve(record, store.LEASE_HELD)
        except store.LeaseConflictError as conflict:
            log.warning("workload %s runs without a lease: %s", record.name, conflict)
            return False
        return True
