"""What must hold on a node after whatever was done to it, judged from Docker, the agent and the test's own ledger.

No NPU is in two running containers; none is leased to nobody for longer than a cycle; no container is lost or doubled;
no acknowledged request is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from support.ledger import ABSENT, PRESENT, Ledger, Promise
from support.nodes import Node
from support.sight import AgentSight, Seen, Sight, look

_REST = {"exited", "failed"}
_PREFIX = "npufleet-"


def violations(node: Node, ledger: Ledger, now: float) -> list[str]:
    """Look once and tell what is broken, one sentence each.

    What the agent may need a cycle to put right is a violation once it was seen in looks that lie further apart, with
    the agent alive and Docker answering all the while. Requests may be under way: what they touch is not judged.
    """
    before = ledger.promises()
    sight = look(node, before)
    after = ledger.promises()
    held = {name: promise for name, promise in before.items() if after[name] == promise and not promise.asked}
    moving = {name for name in after if name not in held}
    return judge(sight, ledger, held, moving, now)


def settled(node: Node, ledger: Ledger) -> list[str]:
    """Look until nothing is suspicious any more, or until something is a violation."""
    while True:
        found = violations(node, ledger, time.monotonic())
        if found or not ledger.suspicions:
            return found
        time.sleep(1)


def judge(sight: Sight, ledger: Ledger, held: Mapping[str, Promise], moving: set[str], now: float) -> list[str]:
    found = [*ledger.broken, *_counted(ledger, _shared(sight)), *_counted(ledger, _doubled(sight))]
    ledger.broken.clear()
    doubtful: set[str] = set()
    if sight.agent is not None:
        found += _counted(ledger, _forgotten(sight.agent, held))
    if sight.second is not None:
        found += _counted(ledger, _lost(sight.second, held))
    if sight.agent is not None and sight.first is not None and sight.second is not None:
        agent, containers = sight.agent, sight.second
        lives = f" (agent of {agent.life})"
        disagreements = [*_unowned(agent, containers, moving), *_unleased(agent, sight.first, containers, moving)]
        ledger.checked += len(agent.leases) + len(containers)
        doubtful = {words + lives for words in disagreements}
    ledger.suspicions = {words: ledger.suspicions.get(words, now) for words in doubtful}
    lasting = [words for words, since in ledger.suspicions.items() if now - since > ledger.cycle_s]
    return [*found, *(f"for longer than a cycle, {words}" for words in lasting)]


def _counted(ledger: Ledger, results: Iterator[str | None]) -> list[str]:
    everything = list(results)
    ledger.checked += len(everything)
    return [words for words in everything if words is not None]


def _shared(sight: Sight) -> Iterator[str | None]:
    """Containers that both lists show running had been running together in between."""
    first, second = sight.first or {}, sight.second or {}
    owner: dict[int, Seen] = {}
    for one in second.values():
        earlier = first.get(one.id)
        if earlier is None or not (earlier.active and one.active) or earlier.started_at != one.started_at:
            continue
        for npu in sorted(one.npus):
            other = owner.setdefault(npu, one)
            yield None if other is one else f"NPU {npu} is in two running containers: {other.name} and {one.name}"


def _doubled(sight: Sight) -> Iterator[str | None]:
    for containers in (sight.first or {}, sight.second or {}):
        seen: dict[str, str] = {}
        for one in containers.values():
            if one.workload is not None:
                other = seen.setdefault(one.workload, one.name)
                yield None if other == one.name else f"{one.workload} has two containers: {other} and {one.name}"


def _forgotten(agent: AgentSight, held: Mapping[str, Promise]) -> Iterator[str | None]:
    for name, promise in held.items():
        told = agent.workloads.get(name)
        if promise.state == ABSENT:
            yield None if told is None else f"{name} is {told['state']}, although its DELETE was acknowledged"
        elif promise.state == PRESENT and told is None:
            yield f"{name} is not known, although its PUT was acknowledged"
        elif promise.state == PRESENT and told is not None:
            for key in ("generation", "spec_sha256", "npus"):
                promised, now = promise.document[key], told[key]
                yield None if now == promised else f"{name} has {key} {now}; what was acknowledged is {promised}"


def _lost(containers: Mapping[str, Seen], held: Mapping[str, Promise]) -> Iterator[str | None]:
    """A workload has one container in its life, and one that was removed has none."""
    names = {one.name for one in containers.values()}
    for name, promise in held.items():
        if promise.state == ABSENT:
            yield (
                f"the container of {name} is there, although its DELETE was acknowledged"
                if (_PREFIX + name in names)
                else None
            )
        elif promise.state == PRESENT and not promise.harmed and promise.document["container_id"]:
            known = promise.document["container_id"] in containers
            yield None if known else f"the container of {name} is lost"


def _unowned(agent: AgentSight, containers: Mapping[str, Seen], moving: set[str]) -> Iterator[str]:
    """Leases of which nobody makes use, and workloads that are told to run and do not."""
    active = {one.workload for one in containers.values() if one.active}
    there = {one.workload for one in containers.values()}
    for lease in agent.leases:
        name, npu = lease["workload"], lease["npu"]
        workload = agent.workloads.get(name)
        if name in moving:
            continue
        if workload is None:
            yield f"NPU {npu} is leased to {name}, which is not known"
        elif workload["state"] in _REST:
            yield f"NPU {npu} is leased to {name}, which is {workload['state']}"
        elif name not in there:
            yield f"NPU {npu} is leased to {name}, which has no container"
    for name, workload in agent.workloads.items():
        if name not in moving and workload and workload["state"] == "running" and name not in active:
            yield f"{name} is told to run, and Docker does not run it"


def _unleased(
    agent: AgentSight, first: Mapping[str, Seen], second: Mapping[str, Seen], moving: set[str]
) -> Iterator[str]:
    """Containers that nobody answers for."""
    owner = {lease["npu"]: lease["workload"] for lease in agent.leases}
    for one in second.values():
        if one.workload is None or one.workload in moving or one.id not in first:
            continue
        if agent.workloads.get(one.workload) is None:
            yield f"the container {one.name} runs for a workload that is not known"
        for npu in sorted(one.npus) if one.active else ():
            if owner.get(npu) != one.workload:
                yield f"{one.name} uses NPU {npu}, which is leased to {owner.get(npu, 'nobody')}"
