"""Resets an NPU over SSH: what the reset takes along is found first, cordoned, and looked at again right before."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from npu_agent import api
from npufleet import agent_cordon, remote
from npufleet.agent_client import AgentClient
from npufleet.errors import NpufleetError, UsageError
from npufleet.fleet import Fleet
from npufleet.inventory import Node
from npufleet.result import Exit, Failure, Result
from npufleet.survey import spans
from npufleet.views import reset as view

TIMEOUT_S = 300.0
OURS = ("workload", "reservation")
# The tool's manual knows this word and Fail; where it says neither, nobody has said that the chip was reset.
_OK = re.compile(r"^\s*Status\s*:\s*OK\s*$", re.MULTILINE)


class ResetError(NpufleetError):
    code = "reset-refused"


@dataclass(frozen=True)
class Plan:
    """`ring` are all NPUs that are reset with it; without the agent's word that is every NPU of the node."""

    node: str
    npu: int
    card: int
    chip: int
    ring: tuple[int, ...]
    hurts: tuple[str, ...]


def plan(fleet: Fleet, node: str, npu: int, *, force: bool) -> Plan:
    client = fleet.client(node)
    report, health = client.npus(), client.health()
    known = {found.npu: found for found in report.npus}
    if npu not in known:
        ids = spans(known) if known else "none"
        raise UsageError(f"{node} has no NPU {npu}.", remedy=f"Its NPUs are {ids}.", code="npu-not-found")
    found = known[npu]
    if found.card is None or found.chip is None:
        raise ResetError(
            f"{node}: which card and chip NPU {npu} is, is not known, and a guess would reset another one.",
            remedy="See npu-smi info -m on the node.", node=node,
        )  # fmt: skip
    part = next((part for part in health.components if part.name == f"npu/{npu}"), None)
    ring = tuple(sorted({npu, *part.resets})) if part and part.resets else tuple(sorted(known))
    _refuse_users(node, npu, ring, report.npus, force=force)
    return Plan(node, npu, found.card, found.chip, ring, tuple(_hurts(node, npu, ring, part, report.npus)))


def _refuse_users(node: str, npu: int, ring: Sequence[int], npus: Sequence[api.Npu], *, force: bool) -> None:
    for user in npus:
        if user.npu not in ring or user.holder is None:
            continue
        where = "on it" if user.npu == npu else f"on NPU {user.npu}, which is reset with it"
        if user.holder.kind in OURS:
            raise ResetError(
                f"{node}: {user.holder.sentence()} is {where}; NPU {npu} was not reset.",
                code="npu-held", node=node, remedy=f"Stop it first: npufleet stop {node}/{user.holder.name}.",
            )  # fmt: skip
        if not force:
            raise ResetError(
                f"{node}: {user.holder.sentence()}, which is not npufleet's, is {where}; NPU {npu} was not reset.",
                code="npu-held", node=node, remedy="Ask whose it is and end it; --force resets under it.",
            )  # fmt: skip


def _hurts(node: str, npu: int, ring: Sequence[int], part: api.Component | None, npus: Sequence[api.Npu]) -> list[str]:
    told = [f"{node}: NPU {spans(ring)} stops answering while it lasts, and loses what is in its memory."]
    if not (part and part.resets):
        told.append("The agent advises no reset of it and does not tell its ring: take it that all NPUs are reset.")
    if part and part.advice:
        told.append(f"The agent says: {part.advice}.")
    told += [f"{one.holder.sentence()} on NPU {one.npu} loses it." for one in npus if one.npu in ring and one.holder]
    if len(ring) > 1:
        told.append(f"NPU {npu} alone cannot be reset: the others share its ring.")
    return told


def carry_out(
    fleet: Fleet, wanted: Plan, owner: str, *, force: bool, connect: Callable[[Node], Any] = remote.connect
) -> Result:
    """Keep new work away by a cordon of its own, look again, reset, and lift the cordon whatever happened."""
    client = fleet.client(wanted.node)
    who = f"{owner}:reset-npu"
    agent_cordon.cordon(client, who, f"NPU {wanted.npu} is being reset", wanted.ring)
    try:
        _refuse_users(wanted.node, wanted.npu, wanted.ring, client.npus().npus, force=force)
        return _reset(fleet.inventory.node(wanted.node), wanted, connect)
    finally:
        _lift(client, who, wanted)


def _lift(client: AgentClient, who: str, wanted: Plan) -> None:
    agent_cordon.uncordon(client, who, wanted.ring)


def _reset(node: Node, wanted: Plan, connect: Callable[[Node], Any]) -> Result:
    command = f"echo y | npu-smi set -t reset -i {wanted.card} -c {wanted.chip}"
    connection = connect(node)
    try:
        line = remote.guarded(command, sudo=remote.needs_sudo(node))
        ran = connection.run(line, hide=True, warn=True, in_stream=False, timeout=TIMEOUT_S, encoding="utf-8")
    except Exception as error:
        raise ResetError(
            f"{wanted.node}: the reset could not be given over SSH: {error}.", code="ssh-failed", node=wanted.node,
            remedy="Nothing is known of how far it came: see npufleet health for the node.",
        ) from error  # fmt: skip
    finally:
        connection.close()
    return _told(wanted, ran.exited, f"{ran.stdout}\n{ran.stderr}".strip())


def _told(wanted: Plan, code: int, said: str) -> Result:
    fine = code == 0 and _OK.search(said) is not None
    data = {"node": wanted.node, "npu": wanted.npu, "ring": list(wanted.ring), "exit_code": code, "said": said}
    told = f"{wanted.node}: npu-smi did not reset NPU {wanted.npu}: {said}"
    remedy = "See dmesg on the node; a node whose NPU cannot be reset needs a reboot."
    failure = Failure("reset-failed", told, remedy, wanted.node)
    return Result(
        "reset-npu", data=data, errors=() if fine else (failure,), exit_code=Exit.FINE if fine else Exit.FAILED,
        view=(lambda: view.done(wanted)) if fine else None,
    )  # fmt: skip
