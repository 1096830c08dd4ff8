"""What was promised to those who asked, and what must be true of a node whatever happened: for the machine's tests."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from dataclasses import dataclass, field

from npu_agent import api, restarts, store
from npu_agent.engine import Container
from npu_agent.store import Record
from unit.agent.storm import StormyBench

ABSENT = "absent"  # never asked for, or removed on request
PRESENT = "present"  # a PUT was acknowledged
REFUSED = "refused"  # a PUT was refused or failed: a reason may be kept, but nothing runs
LEAVING = "leaving"  # a DELETE is promised to be carried out
UNSURE = "unsure"  # no answer came: done or not done, but nothing in between

_AT_WORK = {store.PULLING, store.RESERVED, store.CREATED, store.STARTED, store.REMOVING}


@dataclass
class Promises:
    """`allowed` counts by how many starts of a container somebody asked for, where its policy asks for none."""

    of: dict[str, str] = field(default_factory=dict)
    allowed: collections.Counter[str] = field(default_factory=collections.Counter)
    checked: int = 0

    def get(self, name: str) -> str:
        return self.of.get(name, ABSENT)

    def always(self, bench: StormyBench) -> Iterator[str]:
        """Broken sentences, at whatever point the agent is."""
        yield from bench.stormy.broken
        records = {record.name: record for record in bench.store.records()}
        leases = bench.leased()
        self.checked += 1 + len(records) + len(leases)
        yield from _shared(bench.stormy.seen())
        yield from _unleased(bench.stormy.seen(), leases)
        for npu, name in leases.items():
            if name not in records or records[name].phase not in _AT_WORK:
                yield f"NPU {npu} is leased to {name}, which is {records[name].phase if name in records else 'unknown'}"
        for name, promise in self.of.items():
            if promise == PRESENT and name not in records:
                yield f"{name} is forgotten, although its PUT was acknowledged"
            if promise == ABSENT and (name in records or _of(bench, name)):
                yield f"{name} is there, although nobody asked for it or its DELETE was acknowledged"
        for one in bench.stormy.seen():
            record = records.get(one.workload or "")
            if record is not None and record.restart.get("policy") == restarts.NO:
                count = bench.stormy.starts[one.id]
                if count > 1 + self.allowed[one.workload or ""]:
                    yield f"{one.name} was started {count} times, although nobody asked for a restart"

    def after_cycle(self, bench: StormyBench) -> Iterator[str]:
        """After one whole cycle in which nothing happened: every lease is of use to somebody."""
        for record in bench.store.records():
            container = _of(bench, record.name)
            self.checked += 1
            if record.phase == store.REMOVING:
                yield f"{record.name} is still being removed"
            ended = container is None or container.ended_for_good
            if record.phase == store.STARTED and ended and record.restart_due is None:
                yield f"the NPUs of {record.name} are leased, and it neither runs nor will be restarted"
            if record.phase in {store.RESERVED, store.CREATED} and not record.reason:
                yield f"{record.name} is not started, and nothing says why"
            yield from _told(bench, record, container)
        known = {record.name for record in bench.store.records()}
        for one in bench.stormy.seen():
            if one.workload is not None and one.workload not in known:
                yield f"the container {one.name} is nobody's"
        shown = {workload.name for workload in bench.workloads.all()}
        if shown != known:
            yield f"shown are {sorted(shown)}, on record are {sorted(known)}"

    def settle(self, bench: StormyBench) -> Iterator[str]:
        """After enough quiet cycles nothing is half done, and who was not sure can see how it ended."""
        records = {record.name: record for record in bench.store.records()}
        for name, promise in list(self.of.items()):
            record, container = records.get(name), _of(bench, name)
            self.checked += 1
            if promise == LEAVING and record is not None:
                yield f"{name} is {record.phase}, although its removal was promised"
            if promise == REFUSED and record is not None and record.phase != store.FAILED:
                yield f"{name} is {record.phase}, although its PUT was refused"
            if record is None and container is not None:
                yield f"the container of {name} was left behind"
            if record is not None and record.phase == store.FAILED and container is not None:
                yield f"{name} failed, and its container was left behind"
            if record is None:
                self.of[name] = ABSENT
            elif promise == UNSURE:
                self.of[name] = PRESENT


def _of(bench: StormyBench, name: str) -> Container | None:
    return next((one for one in bench.stormy.seen() if one.name == api.CONTAINER_PREFIX + name), None)


def _shared(containers: list[Container]) -> Iterator[str]:
    owner: dict[int, str] = {}
    for one in containers:
        for npu in one.npus if one.active and one.workload else ():
            if owner.setdefault(npu, one.name) != one.name:
                yield f"NPU {npu} is in two running containers: {owner[npu]} and {one.name}"


def _unleased(containers: list[Container], leases: dict[int, str]) -> Iterator[str]:
    for one in containers:
        for npu in one.npus if one.active and one.workload else ():
            if leases.get(npu) != one.workload:
                yield f"{one.name} runs on NPU {npu}, which is leased to {leases.get(npu, 'nobody')}"


def _told(bench: StormyBench, record: Record, container: Container | None) -> Iterator[str]:
    told = {workload.name: workload for workload in bench.workloads.all()}.get(record.name)
    if told is None:
        yield f"{record.name} is on record and not shown"
        return
    runs = container is not None and container.active
    if runs != (told.state == api.RUNNING):
        yield f"{record.name} is told to be {told.state}, and its container {'runs' if runs else 'does not run'}"
    if record.phase == store.FAILED and (told.state != api.FAILED or not told.reason):
        yield f"{record.name} failed, and is told to be {told.state}: {told.reason!r}"
