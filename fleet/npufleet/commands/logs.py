"""npufleet logs: what a workload printed, or what all ranks of a job printed."""

from __future__ import annotations

from typing import Annotated

import typer

from npufleet import workloads
from npufleet.commands.options import InventoryOption, verb
from npufleet.fleet import Fleet, open_fleet
from npufleet.job import logs as job_logs
from npufleet.result import Lines, Outcome, Result, spread


def logs(
    workload: Annotated[
        str, typer.Argument(metavar="[NODE/]NAME", help="The workload, with its node if need be; or a job.")
    ],
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until it ends or you interrupt.")] = False,
    tail: Annotated[int, typer.Option(min=0, max=100000, help="Begin so many lines before the end.")] = 200,
    inventory: InventoryOption = None,
) -> Outcome:
    """Print what a workload printed.

    Of a job over several nodes every line begins with its rank.
    """
    fleet = open_fleet(inventory)
    found = workloads.find(fleet, workload)
    if len(found.nodes) > 1:
        return Lines("logs", job_logs.follow(fleet, found, tail)) if follow else _together(fleet, found, tail)
    node, name = found.nodes[0], found.name
    client = fleet.client(node)
    if follow:
        return Lines("logs", client.follow_logs(name, tail))
    text = client.logs(name, tail)
    return Result("logs", data={"node": node, "name": name, "text": text}, text=text)


def _together(fleet: Fleet, found: workloads.Found, tail: int) -> Result:
    text, silent = job_logs.together(fleet, found, tail)
    return Result(
        "logs",
        data={"job": found.name, "nodes": list(found.nodes), "text": text},
        text=text,
        errors=tuple(answer.problem.failure for answer in silent if answer.problem),
        exit_code=spread(len(silent), 0, len(found.nodes)),
    )


app = verb(logs)
