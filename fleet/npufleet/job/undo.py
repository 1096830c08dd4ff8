"""Takes a half-started job back. What cannot be reached is named, with how it ends."""

from __future__ import annotations

from collections.abc import Sequence

from npu_agent import api
from npufleet.agent_client import AgentClient
from npufleet.agent_errors import RefusedError
from npufleet.fleet import Fleet
from npufleet.job import ranks
from npufleet.job.reserve import TTL_S, Kept
from npufleet.sweep import sweep

GRACE_S = 5
UNDO_S = 60.0


def undo(fleet: Fleet, name: str, mark: str, kept: Kept, *, committing: bool) -> list[str]:
    """Give what is left, a sentence a node; empty where nothing is.

    The reservation is cancelled first: a commit that is still under way then finds it gone, or has used it already,
    and its workload is there to be removed.
    """

    def take_back(client: AgentClient) -> None:
        client.cancel_reservation(kept.name)
        if committing:
            _remove(client, name, mark)

    answers = sweep([fleet.client(node) for node in kept.touched], take_back, deadline_s=UNDO_S)
    return [_left(answer.node.name, name, committing) for answer in answers if answer.problem is not None]


def _remove(client: AgentClient, name: str, mark: str) -> None:
    """Only what this very attempt made: a workload of the same name may be somebody's."""
    try:
        if ranks.label(client.workload(name), ranks.ATTEMPT) == mark:
            client.delete_workload(name, GRACE_S)
    except RefusedError as refusal:
        if refusal.document.code != api.CODE_NOT_FOUND:
            raise


def _left(node: str, name: str, committing: bool) -> str:
    kept = f"{node} could not be told: what it keeps for the job is free again after {TTL_S} s at the latest"
    return f"{kept}, but a workload {name} may run there (npufleet stop {node}/{name})." if committing else f"{kept}."


def stop_all(fleet: Fleet, name: str, nodes: Sequence[str]) -> list[str]:
    """Stop a job's workloads for good; give the nodes where that could not be done."""

    def stop(client: AgentClient) -> None:
        try:
            client.delete_workload(name)
        except RefusedError as refusal:
            if refusal.document.code != api.CODE_NOT_FOUND:
                raise

    answers = sweep([fleet.client(node) for node in nodes], stop, deadline_s=150.0)
    return [answer.node.name for answer in answers if answer.problem is not None]
