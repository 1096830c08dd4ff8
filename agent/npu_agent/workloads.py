"""Workloads: accept, show and remove them. One lock a name, one admission at a time, everything on disk first."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Protocol

from npu_agent import admission, api, engine, holders, lifecycle, spec, store
from npu_agent.config import Policy
from npu_agent.engine import Container, Engine
from npu_agent.nodefacts import NodeFacts
from npu_agent.problem import ProblemError, docker_unreachable
from npu_agent.show import show
from npu_agent.store import Record, Store

LOCK_WAIT_S = 30.0
LAST_KNOWN = "Docker does not answer: this is what was last known"


class Seen(Protocol):
    """What of the monitor's view decides about NPUs."""

    @property
    def complete(self) -> bool: ...

    @property
    def npus(self) -> tuple[api.Npu, ...]: ...

    @property
    def processes(self) -> Sequence[holders.Process]: ...

    @property
    def observed_monotonic(self) -> Optional[float]: ...


@dataclass(frozen=True)
class Node:
    """Where workloads run: each call asks anew, because roles and operators change files."""

    name: str
    facts: Callable[[], NodeFacts]
    policy: Callable[[], Policy]
    seen: Callable[[], Seen]


class Workloads:
    def __init__(self, containers: Engine, records: Store, node: Node) -> None:
        self.engine = containers
        self.store = records
        self.node = node
        self.lifecycle = lifecycle.Lifecycle(containers, records)
        self._admission = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._locks_guard = threading.Lock()
        self._released: dict[int, float] = {}
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
        record = self.store.get(name)
        if record is None:
            raise _not_found(name)
        try:
            return self.publish(record, self.lifecycle.find(record))
        except engine.EngineError:
            return dataclasses.replace(self.get(name), reason=LAST_KNOWN)

    def publish(self, record: Record, container: Optional[Container], *, known: bool = True) -> api.Workload:
        """Show it, unless its record is gone: who read the record before a removal must not bring it back."""
        shown = show(record, container, known=known)
        with self._shown_guard:
            if self.store.get(record.name) is not None:
                self._shown = dict(sorted({**self._shown, record.name: shown}.items()))
        return shown

    def unpublish(self, name: str) -> None:
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

    def put(self, name: str, document: Any) -> tuple[api.Workload, bool]:
        """Make it so. Returns the workload and whether it was created now."""
        wanted = spec.parse(name, document)
        digest = spec.digest(document)
        with self.locked(name):
            existing = self.store.get(name)
            if existing is not None and not _may_replace(existing, digest):
                return self._unchanged(existing, digest), False
            record = self._admit(wanted, document, digest)
            return self._start(record), True

    def _unchanged(self, existing: Record, digest: str) -> api.Workload:
        if existing.phase == store.REMOVING:
            raise _busy(existing.name)
        if existing.spec_sha256 != digest:
            raise ProblemError(
                409,
                api.CODE_WORKLOAD_EXISTS,
                f"The workload {existing.name} exists with a different spec.",
                "Delete it first, or choose another name.",
            )
        return self.look(existing.name)

    def _admit(self, wanted: api.WorkloadSpec, document: Mapping[str, Any], digest: str) -> Record:
        """Judge, choose and reserve. One at a time: what was free when it was looked at is free when it is taken."""
        facts, policy = self.node.facts(), self.node.policy()
        spec.resolve(wanted, [], node=self.node.name, sha256=digest, facts=facts, policy=policy)
        with self._admission:
            npus, notes = self._choose(wanted.npus)
            if not self._image_exists(wanted.image):
                raise lifecycle.image_missing(wanted.image)
            plan = spec.resolve(wanted, npus, node=self.node.name, sha256=digest, facts=facts, policy=policy)
            record = Record(
                name=wanted.name,
                phase=store.RESERVED,
                spec_sha256=digest,
                spec=dict(document),
                plan=plan.body,
                resolved=plan.resolved.to_dict(),
                npus=npus,
                notes=[*notes, *plan.notes],
                stop_grace_s=wanted.stop_grace_s,
            )
            try:
                self.store.reserve(record)
            except store.LeaseConflictError as conflict:
                raise _leased(conflict) from None
        self.publish(record, None)
        return record

    def _choose(self, asked: Any) -> tuple[list[int], list[str]]:
        view = self.node.seen()
        try:
            containers = self.engine.containers()
        except engine.EngineError as error:
            raise docker_unreachable(error) from error
        npus = [npu.npu for npu in view.npus]
        held = holders.find(npus, containers, self.store.leases(), self.current_processes(view))
        return admission.choose(asked, view.npus, held, complete=view.complete)

    def _image_exists(self, image: str) -> bool:
        try:
            return self.engine.image_exists(image)
        except engine.EngineError as error:
            raise lifecycle.as_problem(error, image) from error

    def _start(self, record: Record) -> api.Workload:
        try:
            record = self.lifecycle.bring_up(record)
        except engine.EngineError as error:
            self.undo(record, f"the start failed: {error}")
            raise lifecycle.as_problem(error, str(record.resolved.get("image"))) from error
        except ProblemError:
            self.undo(record, "its state could not be written")
            raise
        return self.look(record.name)

    def undo(self, record: Record, reason: str) -> None:
        self.lifecycle.abandon(record, reason)
        left = self.store.get(record.name)
        if left is None:
            self.freed(record)
        else:
            self.publish(left, None, known=False)

    def delete(self, name: str, grace_s: Optional[int] = None) -> api.Workload:
        with self.locked(name):
            record = self.store.get(name)
            if record is None:
                raise _not_found(name)
            try:
                self.lifecycle.take_down(record, record.stop_grace_s if grace_s is None else grace_s)
            except engine.EngineUnreachableError as error:
                raise docker_unreachable(f"{error}; the removal of {name} is on record and will be done") from error
            except engine.EngineError as error:
                raise _not_removed(name, error) from error
            self.freed(record)
        return dataclasses.replace(show(record, None, known=False), state=api.REMOVED, reason="removed on request")

    def freed(self, record: Record) -> None:
        self.unpublish(record.name)
        self.mark_released(record.npus)

    def mark_released(self, npus: Sequence[int]) -> None:
        for npu in npus:
            self._released[npu] = time.monotonic()

    def current_processes(self, view: Seen) -> list[holders.Process]:
        """npu-smi's table is seconds old: on an NPU released since, it still shows the process that has just ended."""
        observed = view.observed_monotonic or 0.0
        return [
            process
            for process in view.processes
            if process.npu is None or self._released.get(process.npu, float("-inf")) + 1 < observed
        ]


def _may_replace(existing: Record, digest: str) -> bool:
    """The same spec again revives what failed; everything else stands until it is deleted."""
    return existing.phase == store.FAILED and existing.spec_sha256 == digest


def _not_found(name: str) -> ProblemError:
    return ProblemError(
        404, api.CODE_NOT_FOUND, f"There is no workload {name} on this node.", "See `npu-agent workloads`."
    )


def _busy(name: str) -> ProblemError:
    return ProblemError(
        409,
        api.CODE_WORKLOAD_BUSY,
        f"Another change of the workload {name} is under way.",
        "Wait until it is finished, then try again.",
    )


def _leased(conflict: store.LeaseConflictError) -> ProblemError:
    holder = api.Holder(kind="workload", name=conflict.workload)
    return ProblemError(
        409,
        api.CODE_NPU_HELD,
        f"NPU {conflict.npu} is held by {holder.sentence()}.",
        "Wait until it ends or stop it, or choose other NPUs.",
        holder=holder,
        npu=conflict.npu,
    )


def _not_removed(name: str, error: Exception) -> ProblemError:
    return ProblemError(
        503,
        api.CODE_DOCKER_REFUSED,
        f"The container of {name} is not gone: {error}. Its NPUs stay leased, and the agent goes on trying.",
        "If a process hangs in the driver, the node needs a reboot.",
    )
