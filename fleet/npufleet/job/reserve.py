"""The first step of a job: NPUs kept on every node, or on none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from npu_agent import api
from npufleet import placement
from npufleet.agent_errors import RefusedError, UnreachableError
from npufleet.errors import AgentError, PlacementError
from npufleet.fleet import Fleet
from npufleet.job.layout import Layout
from npufleet.launch import TRY_NEXT
from npufleet.survey import READY, NodeStatus, natural
from npufleet.sweep import sweep

# Long enough for the slowest commit; a control machine that dies leaves NPUs kept for no longer than this.
TTL_S = 180
PATIENCE_S = 60.0


@dataclass
class Kept:
    """What was reserved under one name. `unclear` are nodes that may have reserved: their answer never came."""

    name: str
    by_node: dict[str, api.Reservation] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def touched(self) -> list[str]:
        return sorted({*self.by_node, *self.unclear}, key=natural)


def choose(
    spec: api.WorkloadSpec, layout: Layout, statuses: Sequence[NodeStatus], avoid: frozenset[str]
) -> list[NodeStatus]:
    """The nodes to try, best first; those that were named, in the order of their names in the job."""
    npus = spec.npus if spec.npus is not None else api.PROFILE_NPUS[spec.profile]
    if not isinstance(layout.nodes, int):
        by_name = {status.node.name: status for status in statuses}
        return [_usable(by_name[name]) for name in layout.nodes]
    found = placement.candidates(npus, [status for status in statuses if status.node.name not in avoid])
    if len(found) < layout.count:
        names = ", ".join(status.node.name for status in found)
        ready = sum(status.state == READY for status in statuses)
        raise PlacementError(
            f"The job wants {layout.count} nodes; only {names} of {ready} ready ones could take a rank.",
            remedy="See why with npufleet status; stop something (npufleet ps), ask for fewer, or wait.",
        )
    return found


def _usable(status: NodeStatus) -> NodeStatus:
    if status.state == READY:
        return status
    failure = status.failure
    why = failure.message if failure else f"{status.node.name} is not ready."
    raise PlacementError(
        f"The job names a node that cannot take a rank. {why}",
        code="node-not-ready",
        remedy=failure.remedy if failure else "",
        node=status.node.name,
    )


def reserve(
    fleet: Fleet, kept: Kept, spec: api.WorkloadSpec, layout: Layout, candidates: Sequence[NodeStatus]
) -> Iterator[str]:
    """Ask as many nodes as are missing, all at once, until enough have reserved; tells whom it asks."""
    request = {"ttl_s": TTL_S, "spec": spec.to_dict()}
    waiting = [status.node.name for status in candidates]
    refusal: AgentError | None = None
    while missing := layout.count - len(kept.by_node):
        batch, waiting = waiting[:missing], waiting[missing:]
        if len(batch) < missing:
            raise refusal or PlacementError("No node is left to try.", remedy="See npufleet status.")
        yield f"reserving on {', '.join(batch)}"
        kept.unclear.update(batch)  # until it has answered: an interrupt may come now
        clients = [fleet.client(name) for name in batch]
        answers = sweep(clients, lambda client: client.reserve(kept.name, request), deadline_s=PATIENCE_S)
        for answer in answers:
            refusal = _take(kept, layout, answer.node.name, answer.value, answer.problem) or refusal


def _take(
    kept: Kept, layout: Layout, node: str, value: api.Reservation | None, problem: AgentError | None
) -> AgentError | None:
    """Note a node's answer; give its refusal where the next node may be tried instead, and raise any other."""
    if value is not None:
        kept.by_node[node] = value
        kept.unclear.discard(node)
        return None
    assert problem is not None, "an answer is a value or a problem"
    if isinstance(problem, RefusedError):
        kept.unclear.discard(node)
    refused = isinstance(problem, RefusedError) and problem.document.code in TRY_NEXT
    if isinstance(layout.nodes, int) and (refused or isinstance(problem, UnreachableError)):
        kept.notes.append(problem.failure.message)
        return problem
    raise problem
