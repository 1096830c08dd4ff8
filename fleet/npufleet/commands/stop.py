"""npufleet stop: end a workload, or all ranks of a job, and give back the NPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Group

from npufleet import workloads
from npufleet.commands.options import InventoryOption, verb
from npufleet.fleet import Fleet, open_fleet
from npufleet.result import Outcome, Result, spread
from npufleet.sweep import sweep
from npufleet.views import run as view

SLOW_S = 120.0


def stop(
    workload: Annotated[
        str, typer.Argument(metavar="[NODE/]NAME", help="The workload, with its node if need be; or a job.")
    ],
    grace: Annotated[
        int | None,
        typer.Option(min=0, max=3600, help="Seconds to end by itself; else what its spec says.", show_default=False),
    ] = None,
    inventory: InventoryOption = None,
) -> Outcome:
    """Stop a workload and give back its NPUs.

    The name of a job over several nodes stops all its ranks.

    Exit codes: 0 all are stopped, 3 some ranks of a job could not be stopped.
    """
    fleet = open_fleet(inventory)
    found = workloads.find(fleet, workload)
    if len(found.nodes) > 1:
        return _stop_job(fleet, found.name, found.nodes, grace)
    node, name = found.nodes[0], found.name
    removed = fleet.client(node).delete_workload(name, grace)
    return Result("stop", data={"node": node, "workload": removed.to_dict()}, view=lambda: view.stopped(node, removed))


def _stop_job(fleet: Fleet, name: str, nodes: Sequence[str], grace: int | None) -> Result:
    clients = [fleet.client(node) for node in nodes]
    answers = sweep(clients, lambda client: client.delete_workload(name, grace), deadline_s=SLOW_S + (grace or 30))
    gone = [(answer.node.name, answer.value) for answer in answers if answer.value is not None]
    problems = tuple(answer.problem.failure for answer in answers if answer.problem is not None)
    return Result(
        "stop",
        data={"job": name, "ranks": [{"node": node, **workload.to_dict()} for node, workload in gone]},
        errors=problems,
        exit_code=spread(len(problems), 0, len(nodes)),
        view=lambda: Group(*(view.stopped(node, workload) for node, workload in gone)),
    )


app = verb(stop)
