"""What the whole fleet says about itself, node by node, judged and counted; unknown is never fine."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from npu_agent import api
from npufleet import readiness
from npufleet.agent_client import AgentClient
from npufleet.agent_errors import UnreachableError
from npufleet.fleet import Fleet
from npufleet.inventory import Node
from npufleet.result import Exit, Failure, spread
from npufleet.sweep import Answer

READY = "ready"
NOT_READY = "not-ready"
UNREACHABLE = "unreachable"
UNKNOWN = "unknown"

# Worst first: what nobody can see is worse than what is known to be broken.
_NODE_ORDER = {UNREACHABLE: 0, UNKNOWN: 1, NOT_READY: 2, READY: 3}
_STATE_ORDER = {api.UNHEALTHY: 0, api.UNKNOWN: 1, api.DEGRADED: 2, api.HEALTHY: 3}


@dataclass(frozen=True)
class Reason:
    """Why a node is not fine, and what its agent advises."""

    text: str
    action: str = "none"


@dataclass(frozen=True)
class Facts:
    """What an agent was asked for; all four or none."""

    node: api.Node
    health: api.HealthReport
    npus: api.NpuReport
    workloads: list[api.Workload]


@dataclass(frozen=True)
class NodeStatus:
    node: Node
    state: str
    facts: Facts | None = None
    reasons: tuple[Reason, ...] = ()
    failure: Failure | None = None

    @property
    def npus(self) -> list[api.Npu]:
        return sorted(self.facts.npus.npus, key=lambda npu: npu.npu) if self.facts else []

    @property
    def workloads(self) -> list[api.Workload]:
        return self.facts.workloads if self.facts else []

    @property
    def running(self) -> list[str]:
        return [w.name for w in self.workloads if w.state in {api.PENDING, api.RUNNING}]

    @property
    def free(self) -> list[int]:
        return [npu.npu for npu in self.npus if npu_use(npu) == FREE]


def inquire(client: AgentClient) -> Facts:
    """Ask one agent for everything that the overview shows."""
    told = client.overview()
    return Facts(told.node, told.health, told.npus, told.workloads)


def inquire_once(client: AgentClient) -> Facts:
    """The same, and hang up: in a large fleet the open connections are most of the memory."""
    try:
        return inquire(client)
    finally:
        client.close()


def take(fleet: Fleet, *, once: bool = False) -> list[NodeStatus]:
    """Ask every node; worst first, and in the inventory's natural order where equal."""
    return sorted((judge(answer) for answer in fleet.ask(inquire_once if once else inquire)), key=rank)


def rank(status: NodeStatus) -> tuple[int, list[tuple[int, str]]]:
    order = _NODE_ORDER[status.state] * 2 + (0 if status.reasons else 1)
    return order, natural(status.node.name)


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key by which lab-2 comes before lab-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def judge(answer: Answer[Facts]) -> NodeStatus:
    if answer.problem is not None:
        state = UNREACHABLE if isinstance(answer.problem, UnreachableError) else UNKNOWN
        failure = answer.problem.failure
        return NodeStatus(answer.node, state, reasons=(Reason(_cause(failure)),), failure=failure)
    assert answer.value is not None, "an answer without a problem has a value"
    facts = answer.value
    reasons = tuple(_reasons(facts))
    state = _state(facts.health)
    return NodeStatus(
        answer.node, state, facts, reasons, None if state == READY else _because(answer.node, state, reasons)
    )


def _cause(failure: Failure) -> str:
    """Leave out what stands beside it already: the node's name and its state."""
    name = f"{failure.node} "
    return failure.message.removeprefix(name).removeprefix("is unreachable: ").removeprefix("is not trusted: ")


def _state(health: api.HealthReport) -> str:
    """Believe `ready` only where the agent also knows of its node what it must."""
    if health.state not in api.HEALTH_STATES or (health.ready and not readiness.knows_itself(health)):
        return UNKNOWN
    return READY if health.ready else NOT_READY


def _because(node: Node, state: str, reasons: Sequence[Reason]) -> Failure:
    why = f": {reasons[0].text}" if reasons else ", and its agent does not say why"
    message = f"{node.name} is {state.replace('-', ' ')}{why.rstrip('.')}."
    return Failure(f"node-{state}", message, f"See npufleet health {node.name}.", node.name)


def _reasons(facts: Facts) -> list[Reason]:
    """Join the agent's reasons with the components behind them, which know the action."""
    troubled = [part for part in worst_first(facts.health) if part.state != api.HEALTHY]
    told = [
        Reason(f"{part.name}: {part.state}{f': {part.reason}' if part.reason else ''}", part.action)
        for part in fold(troubled)
    ]
    names = {part.name for part in troubled}
    more = [Reason(text) for text in facts.health.reasons if text.partition(": ")[0] not in names]
    if facts.node.cordoned and not any("cordon" in reason.text for reason in more):
        more.append(Reason("cordoned: takes no new work"))
    return told + more


def worst_first(report: api.HealthReport) -> list[api.Component]:
    return sorted(report.components, key=lambda part: (_STATE_ORDER.get(part.state, 1), natural(part.name)))


def fold(parts: Sequence[api.Component]) -> list[api.Component]:
    """Say once what is the same for several NPUs: a hung npu-smi is one matter, not eight."""
    folded: dict[tuple[str, ...], list[api.Component]] = {}
    for part in parts:
        same = (part.state, part.reason, part.action) if part.name.startswith("npu/") else (part.name,)
        folded.setdefault(same, []).append(part)
    return [dataclasses.replace(group[0], name=_folded_name(group)) for group in folded.values()]


def _folded_name(group: Sequence[api.Component]) -> str:
    numbers = [part.name.removeprefix("npu/") for part in group]
    if len(group) == 1 or not all(number.isdecimal() for number in numbers):
        return group[0].name if len(group) == 1 else ", ".join(part.name for part in group)
    return f"npu/{spans(int(number) for number in numbers)}"


def spans(numbers: Iterable[int]) -> str:
    """Write 0,1,2,3,6 as "0-3,6"."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


FREE = "free"
HELD = "held"


def npu_use(npu: api.Npu) -> str:
    """Put each NPU into exactly one of free, held, unhealthy, unknown."""
    if npu.state == api.UNHEALTHY:
        return api.UNHEALTHY
    if npu.state not in {api.HEALTHY, api.DEGRADED}:
        return api.UNKNOWN
    return HELD if npu.holder else FREE


@dataclass(frozen=True)
class Summary:
    nodes: Counter[str] = field(default_factory=Counter)
    npus: Counter[str] = field(default_factory=Counter)
    # Nodes that could not be asked: how many NPUs they have is not known, so they are not in `npus`.
    unseen: int = 0

    @property
    def total(self) -> int:
        return self.nodes.total()

    @property
    def exit_code(self) -> Exit:
        unreachable = self.nodes[UNREACHABLE]
        return spread(self.total - self.nodes[READY] - unreachable, unreachable, self.total)

    def to_dict(self) -> dict[str, Any]:
        nodes = {state: self.nodes[state] for state in (READY, NOT_READY, UNREACHABLE, UNKNOWN)}
        npus = {use: self.npus[use] for use in (FREE, HELD, api.UNHEALTHY, api.UNKNOWN)}
        return {"nodes": {"total": self.total, **nodes}, "npus": npus, "nodes_not_seen": self.unseen}


def summarize(statuses: Sequence[NodeStatus]) -> Summary:
    return Summary(
        nodes=Counter(status.state for status in statuses),
        npus=Counter(npu_use(npu) for status in statuses for npu in status.npus),
        unseen=sum(status.facts is None for status in statuses),
    )


def to_dict(status: NodeStatus) -> dict[str, Any]:
    """Make one node of `npufleet status --json`; null where nothing is known."""
    facts = status.facts
    return {
        "node": status.node.name,
        "address": f"{status.node.address}:{status.node.port}",
        "state": status.state,
        "reasons": [{"text": reason.text, "action": reason.action} for reason in status.reasons],
        "cordoned": facts.node.cordoned if facts else None,
        "chip": facts.node.chip if facts else None,
        "driver_version": facts.node.driver_version if facts else None,
        "agent_version": facts.node.agent_version if facts else None,
        "observed_at": facts.npus.observed_at if facts else None,
        "npus": [npu.to_dict() for npu in status.npus] if facts else None,
        "workloads": [w.to_dict() for w in status.workloads] if facts else None,
    }
