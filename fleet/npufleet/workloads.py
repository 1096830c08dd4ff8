"""Finds workloads in the fleet by NODE/NAME or by NAME alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from npu_agent import api
from npufleet.agent_client import AgentClient
from npufleet.agent_errors import UnreachableError
from npufleet.errors import WorkloadError
from npufleet.fleet import Fleet
from npufleet.inventory import Node, did_you_mean
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


def find(fleet: Fleet, reference: str) -> tuple[str, str]:
    """Give node and name; nodes are asked only where the reference leaves the node open."""
    node, slash, name = reference.partition("/")
    if slash:
        return fleet.inventory.node(node).name, name
    listing = list_all(fleet)
    found = [placed for placed in listing.placed if placed.workload.name == reference]
    if len(found) == 1:
        return found[0].node, reference
    raise _ambiguous(reference, found) if found else _nowhere(reference, listing)


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
