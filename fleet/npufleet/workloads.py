"""Finds workloads in the fleet by NODE/NAME or by NAME alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from npu_agent import api
from npufleet.agent_client import AgentClient
from npufleet.agent_errors import UnreachableError
from npufleet.errors import WorkloadError
from npufleet.fleet import Fleet
from npufleet.inventory import Node, did_you_mean
from npufleet.job import ranks
from npufleet.result import Exit, Failure, spread
from npufleet.survey import natural


@dataclass(frozen=True)
class Placed:
    """A workload and the node that it is on."""

    node: str
    workload: api.Workload

    def to_dict(self) -> dict[str, Any]:
        return {"node": self.node, **self.workload.to_dict()}


@dataclass(frozen=True)
class Listing:
    """All workloads that could be seen, and what kept others from being seen."""

    placed: tuple[Placed, ...]
    nodes: tuple[Node, ...]
    failures: tuple[Failure, ...]
    exit_code: Exit


@dataclass(frozen=True)
class Found:
    """A workload's name and its node, or the nodes of a job in the order of their ranks."""

    name: str
    nodes: tuple[str, ...]
    ranks: Mapping[str, int] = field(default_factory=dict)


def list_all(fleet: Fleet) -> Listing:
    answers = fleet.ask(AgentClient.workloads)
    placed = [Placed(answer.node.name, workload) for answer in answers for workload in answer.value or ()]
    problems = [answer.problem for answer in answers if answer.problem]
    unreachable = sum(isinstance(problem, UnreachableError) for problem in problems)
    return Listing(
        placed=tuple(sorted(placed, key=lambda p: (natural(p.workload.name), natural(p.node)))),
        nodes=tuple(answer.node for answer in answers),
        failures=tuple(problem.failure for problem in problems),
        exit_code=spread(len(problems) - unreachable, unreachable, len(answers)),
    )


def find(fleet: Fleet, reference: str) -> Found:
    """Find a workload, or all ranks of a job; nodes are asked only where the reference leaves the node open."""
    node, slash, name = reference.partition("/")
    if slash:
        return Found(name, (fleet.inventory.node(node).name,))
    listing = list_all(fleet)
    found = [placed for placed in listing.placed if placed.workload.name == reference]
    if not found:
        raise _nowhere(reference, listing)
    if len(found) > 1 and any(ranks.label(placed.workload, ranks.JOB) != reference for placed in found):
        raise _ambiguous(reference, found)
    missing = _missing_ranks(found)
    if missing and listing.failures:
        raise _unseen(reference, missing, listing)
    found.sort(key=lambda placed: ranks.rank_of(placed.workload) or 0)
    told = {placed.node: ranks.rank_of(placed.workload) for placed in found}
    return Found(reference, tuple(told), {node: rank for node, rank in told.items() if rank is not None})


def _unseen(name: str, missing: Sequence[int], listing: Listing) -> WorkloadError:
    """Half a job must not pass for the whole."""
    silent = ", ".join(failure.node or "?" for failure in listing.failures)
    return WorkloadError(
        f"Rank {', '.join(map(str, missing))} of {name} was not seen; {silent} did not answer.",
        code="workload-not-seen",
        remedy=f"Say NODE/{name} for one rank alone, or wait until the node answers.",
    )


def _missing_ranks(found: Sequence[Placed]) -> list[int]:
    told = ranks.label(found[0].workload, ranks.RANKS) or ""
    seen = {ranks.rank_of(placed.workload) for placed in found}
    return [rank for rank in range(int(told)) if rank not in seen] if told.isdecimal() else []


def _ambiguous(name: str, found: Sequence[Placed]) -> WorkloadError:
    nodes = [placed.node for placed in found]
    return WorkloadError(
        f"There is a workload {name} on each of {', '.join(nodes)}.",
        code="workload-ambiguous",
        remedy=f"Say which: {nodes[0]}/{name}.",
    )


def _nowhere(name: str, listing: Listing) -> WorkloadError:
    """An unseen node may well have it: then nobody can say that there is none."""
    near = did_you_mean(name, {placed.workload.name for placed in listing.placed})
    if listing.failures:
        unseen = ", ".join(failure.node or "?" for failure in listing.failures)
        return WorkloadError(
            f"No node that answered has a workload {name}; {unseen} did not answer.{near}",
            code="workload-not-seen",
            remedy="See npufleet status, or say NODE/NAME.",
        )
    return WorkloadError(f"There is no workload {name} on any node.{near}", remedy="See them with npufleet ps.")
