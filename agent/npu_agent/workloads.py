"""Workloads: accept, show and remove them. One lock a name, one admission at a time, everything on disk first."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional

from npu_agent import api, api_plan, engine, holders, lifecycle, schema, spec, store
from npu_agent.clock import BootClock
from npu_agent.cordons import Cordons
from npu_agent.drain import Drain
from npu_agent.engine import Container, Engine
from npu_agent.files import Files
from npu_agent.generations import ANY, Condition
from npu_agent.insight import Insight
from npu_agent.intake import Intake, Node, Seen, Wanted
from npu_agent.problem import ProblemError, docker_unreachable, invalid
from npu_agent.pulls import Pulls
from npu_agent.reservations import TTL_DEFAULT_S, Clock, Reservations, check_name
from npu_agent.show import show
from npu_agent.store import Record, Store

LOCK_WAIT_S = 30.0
OnChange = Callable[[str, str], None]
LAST_KNOWN = "Docker does not answer: this is what was last known"


class Workloads:
    """`on_change` is told of what happens to workloads and cordons: a kind and a sentence."""

    def __init__(
        self,
        containers: Engine,
        records: Store,
        node: Node,
        clock: Optional[Clock] = None,
        on_change: OnChange = lambda _kind, _words: None,
    ) -> None:
        self.engine = containers
        self.store = records
        self.node = node
        self.clock: Clock = clock or BootClock()
        self.on_change = on_change
        self.lifecycle = lifecycle.Lifecycle(containers, records, self.clock, Files(node.files))
        self.cordons = Cordons(records, on_change)
        self.reservations = Reservations(records, self.clock)
        self.drain = Drain(records, self.cordons, self.reservations, self.clock)
        self.intake = Intake(containers, records, node, self.cordons, self.reservations)
        self.pulls = Pulls(containers)
        self.insight = Insight(containers, self.clock)
        self.insight.on_unhealthy = self.unhealthy
        self._owed: set[str] = set()  # starts whose undoing a full disk keeps from being written
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._locks_guard = threading.Lock()
        self._shown_guard = threading.Lock()
        self._shown: Mapping[str, api.Workload] = {r.name: show(r, None, known=False) for r in records.records()}

    # What people see

    def all(self) -> list[api.Workload]:
        return list(self._shown.values())

    def get(self, name: str) -> api.Workload:
        found = self._shown.get(name)
        if found is None:
            raise _not_found(name)
        return found

    def look(self, name: str) -> api.Workload:
        """As get, after asking Docker; with Docker away it is what was last known, and says so."""
        record = self._known(name)
        try:
            return self.publish(record, self.lifecycle.find(record))
        except engine.EngineError:
            return dataclasses.replace(self.get(name), reason=LAST_KNOWN)

    def publish(self, record: Record, container: Optional[Container], *, known: bool = True) -> api.Workload:
        """Show it, unless its record is gone: who read the record before a removal must not bring it back."""
        shown = self.insight.tell(show(record, container, known=known))
        with self._shown_guard:
            if self.store.get(record.name) is not None:
                self._shown = dict(sorted({**self._shown, record.name: shown}.items()))
        return shown

    def unpublish(self, name: str) -> None:
        self._owed.discard(name)
        self.insight.forget(name)
        with self._shown_guard:
            self._shown = {key: value for key, value in self._shown.items() if key != name}

    def unseen(self) -> None:
        """Docker does not answer: what is said to run is what was last known, until the next look says otherwise."""
        with self._shown_guard:
            self._shown = {
                name: dataclasses.replace(shown, reason=LAST_KNOWN) if shown.state == api.RUNNING else shown
                for name, shown in self._shown.items()
            }

    # Changes

    @contextlib.contextmanager
    def locked(self, name: str, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
        lock = self._join(name, +1)
        try:
            if not lock.acquire(timeout=wait_s):
                raise _busy(name)
            try:
                yield
            finally:
                lock.release()
        finally:
            self._join(name, -1)

    def _join(self, name: str, step: int) -> threading.Lock:
        """A name's lock lives as long as somebody holds or awaits it."""
        with self._locks_guard:
            lock, users = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = (lock, users + step)
            if users + step == 0:
                del self._locks[name]
            return lock

    def put(
        self, name: str, document: Any, reservation: Optional[str] = None, only: Condition = ANY
    ) -> tuple[api.Workload, bool]:
        """Make it so. Returns the workload and whether it was created now.

        With a reservation the workload gets the NPUs that were kept for it, and uses the reservation up.
        """
        wanted = Wanted(spec.parse(name, document), document, spec.digest(document))
        with self.locked(name):
            existing = self.store.get(name)
            only.check(name, existing)
            if existing is not None and not _may_replace(existing, wanted.sha256):
                return self._unchanged(existing, wanted.sha256), False
            record = self.intake.admit(wanted, reservation, existing)
            if record.phase == store.PULLING:
                self.fetch(record)
                return self.get(name), True
            self.publish(record, None)
            return self._start(record), True

    def rehearse(self, name: str, document: Any) -> api_plan.Plan:
        """Which container a put would make now."""
        wanted = Wanted(spec.parse(name, document), document, spec.digest(document))
        plan, npus, notes = self.intake.rehearse(wanted)
        return api_plan.Plan(api.CONTAINER_PREFIX + name, plan.body, npus, [*notes, *plan.notes])

    def reserve(self, name: str, document: Any) -> tuple[api.Reservation, bool]:
        """Keep NPUs for a time; returns the reservation and whether it is new."""
        check_name(name)
        try:
            schema.check("reservation", document)
        except schema.SchemaError as error:
            raise invalid(error.field, str(error)) from None
        asked, wanted = document.get("npus"), None
        if "spec" in document:
            parsed = spec.parse(str(document["spec"].get("name")), document["spec"])
            wanted = Wanted(parsed, document["spec"], spec.digest(document["spec"]))
            asked = asked or spec.npus_asked(parsed, len(self.node.seen().npus))[0]
        if asked is None:
            raise invalid("npus", "Nothing says how many NPUs are to be kept.", "Give npus or a spec.")
        return self.intake.reserve(name, asked, int(document.get("ttl_s", TTL_DEFAULT_S)), wanted)

    def fetch(self, record: Record) -> None:
        """Bring the image in a thread, and go on with the start when it is there."""
        name = record.name

        def wanted() -> bool:
            now = self.store.get(name)
            return now is not None and now.phase == store.PULLING

        self.publish(dataclasses.replace(record, reason=self.pulls.words(name) or ""), None)
        self.pulls.begin(name, str(record.resolved["image"]), wanted, lambda failure: self._fetched(name, failure))

    def _fetched(self, name: str, failure: Optional[str]) -> None:
        with self.locked(name):
            record = self.store.get(name)
            if record is None or record.phase != store.PULLING:
                return
            if failure is None:
                record = self.store.save(dataclasses.replace(record, phase=store.RESERVED))
                failure = self._start_fetched(record)
            if failure is None:
                return
            self.publish(self.lifecycle.fail(record, failure), None)
            self.mark_released(record.npus)
        self.on_change("failed", f"workload {name}: {failure}")

    def _start_fetched(self, record: Record) -> Optional[str]:
        """Why it cannot be started, or None: it was promised, so it is not forgotten like one that is refused."""
        try:
            taken = self.intake.taken(record, None)
            if taken is not None:
                return f"NPU {taken[0]} was taken by {taken[1]} while its image was pulled"
            if self.waits_for_health(record, None):
                return None  # the next cycle looks again
            self.publish(self.lifecycle.bring_up(record), self.lifecycle.find(record))
        except engine.EngineUnreachableError:
            return None  # the next cycle goes on from its record
        except engine.EngineError as error:
            return f"Docker refused to start it: {error}"
        return None

    def waits_for_health(self, record: Record, container: Optional[Container]) -> bool:
        """Whether its start must wait, because an NPU fell ill since it was leased; then its reason says so."""
        waits = self.intake.waits_for_health(record)
        if waits is None:
            return False
        reason = f"its start waits: {waits}"
        if record.reason != reason:
            record = self.store.save(dataclasses.replace(record, reason=reason))
        self.publish(record, container)
        return True

    def unhealthy(self, name: str, words: str) -> None:
        """A probe asks for a restart: the container is stopped, and its restart policy does the rest."""
        with contextlib.suppress(engine.EngineError, ProblemError), self.locked(name, 0):
            record = self._known(name)
            container = self.lifecycle.find(record)
            if record.phase == store.STARTED and container is not None and container.active:
                self.on_change("probe-failed", f"workload {name} is stopped: its probe fails: {words}")
                self.store.save(dataclasses.replace(record, reason=f"its probe failed: {words}", probe_failed=True))
                self.engine.stop(container.id, record.stop_grace_s)

    def _unchanged(self, existing: Record, digest: str) -> api.Workload:
        if self.leaves(existing):
            raise _busy(existing.name)
        if existing.spec_sha256 != digest:
            raise ProblemError(
                409,
                api.CODE_WORKLOAD_EXISTS,
                f"The workload {existing.name} exists with a different spec (generation {existing.generation}).",
                "Nobody's container is replaced behind their back: delete it first, or choose another name.",
            )
        return self.look(existing.name)

    def _start(self, record: Record) -> api.Workload:
        try:
            record = self.lifecycle.bring_up(record)
        except engine.EngineError as error:
            self.undo(record, f"the start failed: {error}")
            raise lifecycle.as_problem(error, str(record.resolved.get("image"))) from error
        except ProblemError as error:
            self.undo(record, "its state could not be written")
            raise _undone(record.name, error) from error
        self.on_change("started", f"workload {record.name} is started on NPUs {record.npus}")
        return self.look(record.name)

    def undo(self, record: Record, reason: str) -> None:
        self.lifecycle.abandon(record, reason)
        left = self.store.get(record.name)
        if left is None:
            self.freed(record)
            return
        if left.phase != store.REMOVING:
            self._owed.add(left.name)
            left = dataclasses.replace(left, reason=reason)
        self.publish(left, None, known=False)

    def leaves(self, record: Record) -> bool:
        """Whether it is being removed, be that on record or only owed."""
        return record.phase == store.REMOVING or record.name in self._owed

    def delete(self, name: str, grace_s: Optional[int] = None, only: Condition = ANY) -> api.Workload:
        with self.locked(name):
            record = self._known(name)
            only.check(name, record)
            try:
                self.lifecycle.take_down(record, record.stop_grace_s if grace_s is None else grace_s)
            except engine.EngineUnreachableError as error:
                raise docker_unreachable(f"{error}; the removal of {name} is on record and will be done") from error
            except engine.EngineError as error:
                raise _not_removed(name, error) from error
            self.freed(record)
        self.on_change("removed", f"workload {name} is removed on request")
        return dataclasses.replace(show(record, None, known=False), state=api.REMOVED, reason="removed on request")

    def stop(self, name: str, reason: str, *, wait_s: float = LOCK_WAIT_S) -> api.Workload:
        """Stop it for good with its own grace, and keep the container for its logs."""
        with self.locked(name, wait_s):
            record = self._known(name)
            if record.phase in {store.REMOVING, store.FINISHED, store.FAILED}:
                return self.get(name)
            stopped, container = self.lifecycle.halt(record, record.stop_grace_s, reason)
            self.mark_released(record.npus)
            self.on_change("stopped", f"workload {name} is {reason}")
            return self.publish(stopped, container)

    def restart(self, name: str, only: Condition = ANY) -> api.Workload:
        """Start it again on its NPUs: what runs is stopped first, what has ended must find its NPUs free."""
        with self.locked(name):
            record = self._known(name)
            only.check(name, record)
            if record.phase not in {store.STARTED, store.FINISHED}:
                raise _busy(name)
            try:
                record = self._again(record)
            except engine.EngineError as error:
                raise lifecycle.as_problem(error, str(record.resolved.get("image"))) from error
        self.on_change("restarted", f"workload {name} is restarted on request")
        return self.look(record.name)

    def _again(self, record: Record) -> Record:
        container = self.lifecycle.find(record)
        if container is None:
            raise engine.NotFoundError("its container is gone; delete the workload and put it again")
        if record.phase == store.FINISHED:
            self.cordons.check_node()
            record = self.intake.lease_again(dataclasses.replace(record, phase=store.STARTED), container.id)
        else:  # what runs on an NPU that fell ill may be restarted: that may be the remedy
            self.intake.check_restart(record, container.id, healthy=not container.active)
        fresh = dataclasses.replace(record, container_id=container.id, restarts=0, restart_due=None)
        if container.active:
            self.engine.stop(container.id, record.stop_grace_s)
        return self.lifecycle.restart(fresh)

    def uncordon(self, owner: str, npus: Sequence[int] = (), *, force: bool = False) -> bool:
        changed = self.cordons.lift(owner, npus, force=force)
        if not npus:
            self.drain.uncordoned(owner, force=force)
        return changed

    def _known(self, name: str) -> Record:
        record = self.store.get(name)
        if record is None:
            raise _not_found(name)
        return record

    def freed(self, record: Record) -> None:
        self.unpublish(record.name)
        self.mark_released(record.npus)

    def mark_released(self, npus: Sequence[int]) -> None:
        self.intake.mark_released(npus)

    def current_processes(self, view: Seen) -> list[holders.Process]:
        return self.intake.current_processes(view)


def _may_replace(existing: Record, digest: str) -> bool:
    """The same spec again revives what failed; everything else stands until it is deleted."""
    return existing.phase == store.FAILED and existing.spec_sha256 == digest


class NotThereError(ProblemError):
    """There is no such workload."""


def _not_found(name: str) -> ProblemError:
    return NotThereError(
        404, api.CODE_NOT_FOUND, f"There is no workload {name} on this node.", "See `npu-agent workloads`."
    )


def _busy(name: str) -> ProblemError:
    return ProblemError(
        409,
        api.CODE_WORKLOAD_BUSY,
        f"Another change of the workload {name} is under way.",
        "Wait until it is finished, then try again.",
    )


def _undone(name: str, error: ProblemError) -> ProblemError:
    return ProblemError(
        error.problem.status,
        error.problem.code,
        f"The agent cannot write its state, so the start of {name} is undone; its NPUs are free when there is room.",
        "Free space on the file system of the agent's state directory, then try again.",
    )


def _not_removed(name: str, error: Exception) -> ProblemError:
    return ProblemError(
        503,
        api.CODE_DOCKER_REFUSED,
        f"The container of {name} is not gone: {error}. Its NPUs stay leased, and the agent goes on trying.",
        "If a process hangs in the driver, the node needs a reboot.",
    )
