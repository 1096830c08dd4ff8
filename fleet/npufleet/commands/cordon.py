"""npufleet cordon: no new work for nodes, or for some of their NPUs."""

from __future__ import annotations

from typing import Annotated

import typer

from npufleet import agent_cordon, cordoning
from npufleet.commands.options import InventoryOption, NodesArgument, OwnerOption, YesOption, verb
from npufleet.confirm import confirm
from npufleet.fleet import open_fleet
from npufleet.jobs import parse_npu_ids
from npufleet.result import Outcome


def cordon(
    nodes: NodesArgument,
    npu: Annotated[
        str | None, typer.Option("--npu", help='Only these, by physical id: "3", "0-3,6".', show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(help="Others will read it.")] = "",
    owner: OwnerOption = None,
    *,
    yes: YesOption = False,
    inventory: InventoryOption = None,
) -> Outcome:
    """Give no new work to nodes, or to some of their NPUs. What runs goes on.

    Exit codes: 0 all are cordoned, 3 some are not, 1 none is, 4 none could be reached.
    """
    fleet = open_fleet(inventory)
    npus = parse_npu_ids(npu) if npu is not None else []
    names = cordoning.known(fleet, nodes)
    if not yes:
        confirm(f"Cordon {', '.join(names)}", cordoning.hurt_by_cordon(fleet, names, npus), yes=yes)
    who = owner or agent_cordon.operator()
    return cordoning.told(
        "cordon", fleet.ask(lambda client: agent_cordon.cordon(client, who, reason, npus), names), "cordoned"
    )


app = verb(cordon)
