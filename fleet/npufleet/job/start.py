"""Starts a job on all of its nodes or on none: reserve everywhere, then commit everywhere, else take all of it back.

There is no central daemon: an agent knows its own workload and nothing of the others. So whatever ends this program
in between leaves at most reservations, and those end by themselves.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from npu_agent import api
from npufleet import survey
from npufleet.agent_client import AgentClient
from npufleet.errors import JobError, NpufleetError, UsageError, WorkloadError
from npufleet.fleet import Fleet
from npufleet.job import ranks
from npufleet.job.layout import Layout
from npufleet.job.reserve import TTL_S, Kept, choose, reserve
from npufleet.job.undo import undo
from npufleet.survey import NodeStatus, natural
from npufleet.sweep import sweep

COMMIT_S = 150.0


@dataclass(frozen=True)
class Started:
    """The job's workloads by node, in rank order."""

    name: str
    nodes: tuple[str, ...]
    workloads: Mapping[str, api.Workload]
    created: bool
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        found = [{"node": node, "rank": rank, **self.workloads[node].to_dict()} for rank, node in enumerate(self.nodes)]
        return {"job": self.name, "created": self.created, "ranks": found}


@dataclass
class Attempt:
    """What one try has done so far, for whoever must take it back."""

    name: str
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    committing: bool = False
    kept: Kept = field(init=False)

    def __post_init__(self) -> None:
        self.kept = Kept(f"job-{self.name}-{self.mark}")


def start(
    fleet: Fleet, spec: api.WorkloadSpec, layout: Layout, avoid: frozenset[str] = frozenset()
) -> Generator[str, None, Started]:
    """Tell of each step; give the started job, or raise after everything is taken back."""
    _known_nodes(fleet, layout)
    base, sha256 = ranks.common(spec, layout), ranks.digest(spec, layout)
    yield "looking at the nodes"
    statuses = survey.take(fleet)
    running = _running(spec.name, sha256, statuses, layout, avoid)
    if running is not None:
        return running
    attempt = Attempt(spec.name)
    try:
        candidates = choose(base, layout, statuses, avoid)
        yield from reserve(fleet, attempt.kept, base, layout, candidates)
        nodes = _in_order(attempt.kept, layout)
        by_name = {status.node.name: status for status in statuses}
        members = [ranks.member(by_name[node], attempt.kept.by_node[node].npus) for node in nodes]
        labels = {ranks.SHA256: sha256, ranks.ATTEMPT: attempt.mark}
        wanted = dict(zip(nodes, ranks.specs(base, layout, members, labels), strict=True))
        yield f"starting on {', '.join(nodes)}"
        attempt.committing = True
        return _commit(fleet, attempt, wanted)
    except (KeyboardInterrupt, GeneratorExit, NpufleetError) as error:
        raise _taken_back(fleet, attempt, error) from error


def _known_nodes(fleet: Fleet, layout: Layout) -> None:
    for name in () if isinstance(layout.nodes, int) else layout.nodes:
        fleet.inventory.node(name)
    if layout.count > len(fleet.inventory.nodes):
        raise UsageError(
            f"The job wants {layout.count} nodes; the inventory has {len(fleet.inventory.nodes)}.",
            remedy="Ask for fewer nodes, or choose another inventory with -i.",
        )


def _running(
    name: str, sha256: str, statuses: Sequence[NodeStatus], layout: Layout, avoid: frozenset[str]
) -> Started | None:
    """The job as it runs already; one of the same name that is not this one is in the way."""
    seen = [status for status in statuses if status.node.name not in avoid]
    found = {status.node.name: w for status in seen for w in status.workloads if w.name == name}
    if not found:
        return None
    whole = len(found) == layout.count and all(ranks.label(w, ranks.SHA256) == sha256 for w in found.values())
    if not whole:
        raise WorkloadError(
            f"There is a {name} already on {', '.join(sorted(found, key=natural))}, and it is not this job as a whole.",
            code="workload-exists",
            remedy=f"Stop it first (npufleet stop {name}), or give this job another name.",
        )
    nodes = sorted(found, key=lambda node: ranks.rank_of(found[node]) or 0)
    return Started(name, tuple(nodes), found, created=False)


def _in_order(kept: Kept, layout: Layout) -> list[str]:
    return sorted(kept.by_node, key=natural) if isinstance(layout.nodes, int) else list(layout.nodes)


def _commit(fleet: Fleet, attempt: Attempt, wanted: Mapping[str, api.WorkloadSpec]) -> Started:
    def put(client: AgentClient) -> api.Workload:
        return client.put_workload(wanted[client.node.name], attempt.kept.name)[0]

    answers = sweep([fleet.client(node) for node in wanted], put, deadline_s=COMMIT_S)
    for answer in answers:
        if answer.problem is not None:
            raise answer.problem
    workloads = {answer.node.name: answer.value for answer in answers if answer.value is not None}
    return Started(attempt.name, tuple(wanted), workloads, created=True, notes=tuple(attempt.kept.notes))


def _taken_back(fleet: Fleet, attempt: Attempt, error: BaseException) -> JobError:
    """Take everything back, and say what was in the way and what is left."""
    try:
        left = undo(fleet, attempt.name, attempt.mark, attempt.kept, committing=attempt.committing)
    except KeyboardInterrupt:
        left = [f"Not all was taken back: {', '.join(attempt.kept.touched)} may still keep NPUs."]
    failure = error.failure if isinstance(error, NpufleetError) else None
    cause = failure.message if failure else "it was interrupted."
    remedy = failure.remedy if failure else ""
    if left:
        remedy = f"{remedy} Reservations end by themselves within {TTL_S} s; see npufleet ps for the rest.".strip()
    nothing = "" if left else " Nothing of it is left on any node."
    return JobError(
        " ".join([f"The job {attempt.name} was not started: {cause}{nothing}", *left]),
        code=failure.code if failure else "interrupted", remedy=remedy, node=failure.node if failure else None,
    )  # fmt: skip
