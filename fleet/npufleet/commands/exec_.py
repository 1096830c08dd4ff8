"""npufleet exec: one command on many nodes, or in the containers of a workload."""

from __future__ import annotations

from typing import Annotated

import typer

from npu_agent import api
from npufleet import remote, workloads
from npufleet.commands.options import InventoryOption, LimitOption, verb
from npufleet.execute import Execution
from npufleet.fleet import open_fleet, open_inventory
from npufleet.inventory import matching
from npufleet.project import ansible_environment
from npufleet.result import Outcome, Progress


def exec_(
    command: Annotated[list[str], typer.Argument(help="After --: a line for the shell, or a program and arguments.")],
    limit: LimitOption = None,
    workload: Annotated[
        str | None,
        typer.Option("--in", metavar="[NODE/]NAME", help="In the containers of this workload.", show_default=False),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds on each node; then it is ended.", show_default=False)
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=512, help="So many nodes at once.")] = 32,
    inventory: InventoryOption = None,
) -> Outcome:
    """Run a command on nodes, or in the containers of a workload.

    Exit codes: 0 it gave 0 everywhere, 3 not everywhere, 1 nowhere, 4 no node could be reached. Each node's own code
    is beside its output.
    """
    container = None
    if workload is not None:
        fleet = open_fleet(inventory)
        found = workloads.find(fleet, workload)
        source, container = fleet.inventory, api.CONTAINER_PREFIX + found.name
        nodes = tuple(source.node(name) for name in found.nodes)
    else:
        source = open_inventory(inventory)
        nodes = source.nodes
    if limit is not None:
        chosen = matching(source, limit, ansible_environment())
        nodes = tuple(node for node in nodes if node in chosen)
    return Progress("exec", Execution(nodes, remote.words(command), container, timeout, parallel).steps())


app = verb(exec_)
