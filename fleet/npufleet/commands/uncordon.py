"""npufleet uncordon: lift one's own cordon, and end one's own drain with it."""

from __future__ import annotations

from typing import Annotated

import typer

from npufleet import agent_cordon, cordoning
from npufleet.commands.options import InventoryOption, NodesArgument, OwnerOption, YesOption, verb
from npufleet.confirm import confirm
from npufleet.fleet import open_fleet
from npufleet.jobs import parse_npu_ids
from npufleet.result import Outcome


def uncordon(
    nodes: NodesArgument,
    npu: Annotated[
        str | None, typer.Option("--npu", help='Only these, by physical id: "3", "0-3,6".', show_default=False)
    ] = None,
    owner: OwnerOption = None,
    *,
    force: Annotated[bool, typer.Option(help="Lift it whoever's it is.")] = False,
    yes: YesOption = False,
    inventory: InventoryOption = None,
) -> Outcome:
    """Lift your cordon. Cordons of others stand until they lift them.

    Exit codes: 0 all are lifted, 3 some are not, 1 none is, 4 none could be reached.
    """
    fleet = open_fleet(inventory)
    npus = parse_npu_ids(npu) if npu is not None else []
    names = cordoning.known(fleet, nodes)
    if force and not yes:
        confirm(f"Lift every cordon of {', '.join(names)}", cordoning.hurt_by_force(fleet, names), yes=yes)
    who = owner or agent_cordon.operator()
    answers = fleet.ask(lambda client: agent_cordon.uncordon(client, who, npus, force=force), names)
    return cordoning.told("uncordon", answers, "uncordoned")


app = verb(uncordon)
