"""npufleet logs: what a workload printed."""

from __future__ import annotations

from typing import Annotated

import typer

from npufleet import workloads
from npufleet.commands.options import InventoryOption, verb
from npufleet.fleet import open_fleet
from npufleet.result import Lines, Outcome, Result


def logs(
    workload: Annotated[str, typer.Argument(metavar="[NODE/]NAME", help="The workload, with its node if need be.")],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until it ends or you interrupt.")] = False,
    tail: Annotated[int, typer.Option(min=0, max=100000, help="Begin so many lines before the end.")] = 200,
    inventory: InventoryOption = None,
) -> Outcome:
    """Print what a workload printed."""
    fleet = open_fleet(inventory)
    node, name = workloads.find(fleet, workload)
    client = fleet.client(node)
    if follow:
        return Lines("logs", client.follow_logs(name, tail))
    text = client.logs(name, tail)
    return Result("logs", data={"node": node, "name": name, "text": text}, text=text)


app = verb(logs)
