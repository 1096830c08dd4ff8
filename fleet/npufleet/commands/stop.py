"""npufleet stop: end a workload and give back its NPUs."""

from __future__ import annotations

from typing import Annotated

import typer

from npufleet import workloads
from npufleet.commands.options import InventoryOption, verb
from npufleet.fleet import open_fleet
from npufleet.result import Outcome, Result
from npufleet.views import run as view


def stop(
    workload: Annotated[str, typer.Argument(metavar="[NODE/]NAME", help="The workload, with its node if need be.")],
    grace: Annotated[
        int | None,
        typer.Option(min=0, max=3600, help="Seconds to end by itself; else what its spec says.", show_default=False),
    ] = None,
    inventory: InventoryOption = None,
) -> Outcome:
    """Stop a workload and give back its NPUs."""
    fleet = open_fleet(inventory)
    node, name = workloads.find(fleet, workload)
    removed = fleet.client(node).delete_workload(name, grace)
    return Result("stop", data={"node": node, "workload": removed.to_dict()}, view=lambda: view.stopped(node, removed))


app = verb(stop)
