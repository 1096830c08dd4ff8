"""npufleet drain: cordon nodes and empty them."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from npu_agent import api
from npufleet import agent_cordon, cordoning
from npufleet.commands.options import InventoryOption, NodesArgument, OwnerOption, YesOption, verb
from npufleet.confirm import confirm
from npufleet.fleet import open_fleet
from npufleet.result import Outcome, Progress


class Mode(enum.StrEnum):
    WAIT = "wait"
    STOP = "stop"
    STOP_LATER = "stop-later"


MODES = {
    Mode.WAIT: api.DRAIN_ALLOW_COMPLETION,
    Mode.STOP: api.DRAIN_IMMEDIATE,
    Mode.STOP_LATER: api.DRAIN_DELETE_AFTER_TIMEOUT,
}


def drain(
    nodes: NodesArgument,
    mode: Annotated[
        Mode, typer.Option(help="wait for what runs, stop it now, or stop-later: at the deadline.")
    ] = Mode.WAIT,
    deadline: Annotated[
        int | None, typer.Option(min=1, max=604800, help="Seconds; needed by stop-later.", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(help="Others will read it.")] = "",
    owner: OwnerOption = None,
    *,
    wait: Annotated[bool, typer.Option(help="Come back when the nodes are empty.")] = False,
    yes: YesOption = False,
    inventory: InventoryOption = None,
) -> Outcome:
    """Cordon nodes and empty them. The agents do it by themselves: --wait only looks on.

    Exit codes: 0 the drain is on (with --wait: all are empty), 3 not on all, 1 on none, 4 none could be reached.
    """
    fleet = open_fleet(inventory)
    names = cordoning.known(fleet, nodes)
    if not yes:
        hurts = cordoning.hurt_by_drain(fleet, names, MODES[mode], deadline)
        confirm(f"Drain {', '.join(names)}", hurts, yes=yes)
    who = owner or agent_cordon.operator()
    answers = fleet.ask(lambda client: agent_cordon.drain(client, who, reason, MODES[mode], deadline), names)
    if not wait or any(answer.problem for answer in answers):
        return cordoning.drain_told(answers)
    return Progress("drain", cordoning.until_drained(fleet, names))


app = verb(drain)
