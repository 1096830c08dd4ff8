"""Starts a workload on one node: the one given, the one that has it already, or the one that fits best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npu_agent import api
from npufleet import placement, survey
from npufleet.agent_errors import RefusedError
from npufleet.errors import AgentError, WorkloadError
from npufleet.fleet import Fleet
from npufleet.jobs import Job
from npufleet.result import Message
from npufleet.survey import NodeStatus

# Somebody was quicker, or the node has just changed: the next node may still do.
TRY_NEXT = {
    api.CODE_NPU_HELD,
    api.CODE_NPU_SHORT,
    api.CODE_NPU_UNHEALTHY,
    api.CODE_NPU_CORDONED,
    api.CODE_CORDONED,
}


@dataclass(frozen=True)
class Launched:
    node: str
    workload: api.Workload
    created: bool
    messages: tuple[Message, ...] = ()


def launch(fleet: Fleet, job: Job) -> Launched:
    if job.node is not None:
        return _start(fleet, job.node, job.spec)
    statuses = survey.take(fleet)
    unseen = _unseen(statuses)
    at_home = placement.holding(job.spec.name, statuses)
    if len(at_home) > 1:
        raise WorkloadError(
            f"There is a workload {job.spec.name} on each of {', '.join(s.node.name for s in at_home)}.",
            code="workload-ambiguous",
            remedy="Say which with --node, or choose another name.",
        )
    if at_home:
        return _start(fleet, at_home[0].node.name, job.spec, unseen)
    npus = job.spec.npus if job.spec.npus is not None else api.PROFILE_NPUS[job.spec.profile]
    return _start_first(fleet, placement.candidates(npus, statuses), job.spec, unseen)


def _start_first(
    fleet: Fleet, candidates: Sequence[NodeStatus], spec: api.WorkloadSpec, messages: tuple[Message, ...]
) -> Launched:
    """Try the best node, and the next where it has just been taken; the last refusal is the answer."""
    refusal: AgentError | None = None
    for status in candidates:
        try:
            return _start(fleet, status.node.name, spec, messages)
        except RefusedError as error:
            if error.document.code not in TRY_NEXT:
                raise
            refusal = error
            messages = (*messages, Message("note", error.failure.message))
    assert refusal is not None, "there is at least one candidate"
    raise refusal


def _start(fleet: Fleet, node: str, spec: api.WorkloadSpec, messages: tuple[Message, ...] = ()) -> Launched:
    workload, created = fleet.client(node).put_workload(spec)
    return Launched(node, workload, created, messages)


def _unseen(statuses: Sequence[NodeStatus]) -> tuple[Message, ...]:
    """A workload of the same name may live where nobody could look."""
    unseen = [status.node.name for status in statuses if status.facts is None]
    if not unseen:
        return ()
    return (Message("warning", f"Not looked at, because they did not answer: {', '.join(unseen)}."),)
