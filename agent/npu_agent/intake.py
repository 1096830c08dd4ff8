"""The door for new work: judge a spec, choose its NPUs, and lease or reserve them, one request at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Protocol

from npu_agent import admission, api, engine, generations, holders, lifecycle, mounts, spec, store
from npu_agent.config import Policy
from npu_agent.cordons import Cordons
from npu_agent.engine import Engine
from npu_agent.nodefacts import NodeFacts
from npu_agent.problem import ProblemError, docker_unreachable
from npu_agent.reservations import Reservations, gone, mismatch
from npu_agent.store import Record, Store


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
    files: Path  # where the files of specs are kept


@dataclass(frozen=True)
class Wanted:
    """A spec that is asked for, as it was sent and as it was read."""

    spec: api.WorkloadSpec
    document: Mapping[str, Any]
    sha256: str


class Intake:
    def __init__(self, containers: Engine, records: Store, node: Node, cordons: Cordons, kept: Reservations) -> None:
        self._engine = containers
        self._store = records
        self._node = node
        self._cordons = cordons
        self._reservations = kept
        self._one_at_a_time = threading.Lock()
        self._released: dict[int, float] = {}

    def admit(self, wanted: Wanted, reservation: Optional[str] = None, before: Optional[Record] = None) -> Record:
        """Judge, choose and lease: what was free when it was looked at is free when it is taken.

        A reservation made before a cordon may still be used: what was promised is kept. What is `before` keeps its
        generation: it is the same spec again.
        """
        self._resolve(wanted, [])
        if reservation is None:
            self._cordons.check_node()
        with self._one_at_a_time:
            npus, notes = self._npus_for(wanted.spec, reservation)
            phase = self._phase_for(wanted.spec)
            plan = self._resolve(wanted, npus)
            record = Record(
                name=wanted.spec.name,
                phase=phase,
                spec_sha256=wanted.sha256,
                spec=dict(wanted.document),
                plan=plan.body,
                resolved=plan.resolved.to_dict(),
                npus=npus,
                notes=[*notes, *plan.notes],
                stop_grace_s=wanted.spec.stop_grace_s,
                restart=plan.resolved.restart,
                mounts=mounts.checked(plan.own_mounts),
                generation=0 if before is None else before.generation,
            )
            try:
                return self._store.reserve(
                    record,
                    also=lambda c: self._reservations.settle(c, npus, reservation),
                    number=generations.take if not record.generation else None,
                )
            except store.LeaseConflictError as conflict:
                raise leased(conflict) from None

    def rehearse(self, wanted: Wanted) -> tuple[spec.Plan, list[int], list[str]]:
        """What admit would decide now; nothing is leased, and the image need not be there."""
        self._resolve(wanted, [])
        with self._one_at_a_time:
            npus, notes = self._npus_for(wanted.spec, None)
        return self._resolve(wanted, npus), npus, notes

    def reserve(self, name: str, asked: Any, ttl_s: int, wanted: Optional[Wanted]) -> tuple[api.Reservation, bool]:
        """Keep NPUs for a workload to come; the same reservation again renews its limit. Gives whether it is new."""
        if wanted is not None:
            self._resolve(wanted, [])
            self._phase_for(wanted.spec)
        with self._one_at_a_time:
            before = self._reservations.get(name)
            try:
                if before is not None:
                    if not self._fits(before, asked):
                        raise mismatch(before, asked)
                    return self._reservations.renew(before, ttl_s), False
                self._cordons.check_node()
                npus, _ = self._choose(asked, None)
                return self._reservations.reserve(name, npus, ttl_s), True
            except store.LeaseConflictError as conflict:
                raise leased(conflict) from None

    def _resolve(self, wanted: Wanted, npus: Sequence[int]) -> spec.Plan:
        facts, policy = self._node.facts(), self._node.policy()
        return spec.resolve(
            wanted.spec, npus, node=self._node.name, sha256=wanted.sha256, facts=facts, policy=policy,
            folder=self._node.files,
        )  # fmt: skip

    def _npus_for(self, wanted: api.WorkloadSpec, reservation: Optional[str]) -> tuple[list[int], list[str]]:
        asked, notes = spec.npus_asked(wanted, len(self._node.seen().npus))
        if reservation is not None:
            kept = self._reservations.get(reservation)
            if kept is None:
                raise gone(reservation)
            if not self._fits(kept, asked):
                raise mismatch(kept, asked)
            asked = list(kept.npus)
        npus, more = self._choose(asked, reservation)
        return npus, [*notes, *more]

    def _fits(self, kept: api.Reservation, asked: Any) -> bool:
        return fits(kept, len(self._node.seen().npus) if asked == "all" else asked)

    def _choose(self, asked: Any, reservation: Optional[str]) -> tuple[list[int], list[str]]:
        view = self._node.seen()
        try:
            containers = self._engine.containers()
        except engine.EngineError as error:
            raise docker_unreachable(error) from error
        kept = [one for one in self._reservations.all() if one.reservation != reservation]
        held = holders.find(
            [npu.npu for npu in view.npus], containers, self._store.leases(), self.current_processes(view), kept
        )
        cordoned = {} if reservation is not None else self._cordons.of_npus()
        return admission.choose(asked, view.npus, held, complete=view.complete, cordoned=cordoned)

    def _phase_for(self, wanted: api.WorkloadSpec) -> str:
        try:
            if self._engine.image_exists(wanted.image):
                return store.RESERVED
            if wanted.pull == "missing":
                return store.PULLING
        except engine.EngineError as error:
            raise lifecycle.as_problem(error, wanted.image) from error
        raise lifecycle.image_missing(wanted.image)

    def lease_again(self, record: Record, container_id: str) -> Record:
        """Take the NPUs of a workload that had ended once more, or refuse it by name of who is in the way."""
        with self._one_at_a_time:
            self._choose(list(record.npus), None)
            self.check_restart(record, container_id, healthy=True)
            try:
                self._store.reserve(
                    record, store.LEASE_HELD, also=lambda c: self._reservations.settle(c, record.npus, None)
                )
            except store.LeaseConflictError as conflict:
                raise leased(conflict) from None
        return record

    def check_restart(self, record: Record, container_id: str, *, healthy: bool) -> None:
        """Refuse a restart on NPUs that another container uses, or, if they must be `healthy`, that fell ill."""
        taken = self.taken(record, container_id)
        waits = f"NPU {taken[0]} is used by {taken[1]}" if taken is not None else None
        if waits is None and healthy:
            waits = self.waits_for_health(record)
        if waits is not None:
            code = api.CODE_NPU_HELD if taken is not None else api.CODE_NPU_UNHEALTHY
            ill = "See GET /v1/health for what to do about the NPU, or put the workload anew on another one."
            remedy = ill if taken is None else "Stop that container, or wait until it ends."
            raise ProblemError(409, code, f"{record.name} cannot start again: {waits}.", remedy)

    def restart_waits_for(self, record: Record, container_id: str) -> Optional[str]:
        """What keeps a workload that ended from being started again now, or None. Its leases are its own still."""
        waits = self.waits_for_health(record)
        if waits is not None:
            return waits
        taken = self.taken(record, container_id)
        return f"NPU {taken[0]} is used by {taken[1]}" if taken is not None else None

    def waits_for_health(self, record: Record) -> Optional[str]:
        """What was healthy when it was leased need not be so when the container is started, or None."""
        view = self._node.seen()
        if not view.complete:
            return "there is no complete probe of the NPUs"
        known = {npu.npu: npu for npu in view.npus}
        for npu in record.npus:
            if npu not in known or known[npu].state in {api.UNHEALTHY, api.UNKNOWN}:
                state = known[npu].state if npu in known else "gone"
                reason = known[npu].reason if npu in known else ""
                return f"NPU {npu} is {state}: {reason}".rstrip(": ")
        return None

    def taken(self, record: Record, container_id: Optional[str]) -> Optional[tuple[int, str]]:
        """Which of its NPUs another container uses now, and who that is: leases bind nobody but workloads."""
        for other in self._engine.containers():
            npus = holders.claimed(other, record.npus) & set(record.npus)
            if other.id != container_id and other.active and npus:
                return min(npus), holders.of_container(other).sentence()
        return None

    def mark_released(self, npus: Iterable[int]) -> None:
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


def fits(kept: api.Reservation, asked: Any) -> bool:
    """Whether a count or a list of ids is what was reserved."""
    if isinstance(asked, list):
        return sorted(asked) == kept.npus
    return bool(asked == len(kept.npus))


def leased(conflict: store.LeaseConflictError) -> ProblemError:
    holder = api.Holder(kind=conflict.kind, name=conflict.owner)
    return ProblemError(
        409,
        api.CODE_NPU_HELD,
        f"NPU {conflict.npu} is held by {holder.sentence()}.",
        "Wait until it ends or stop it, or choose other NPUs.",
        holder=holder,
        npu=conflict.npu,
    )
