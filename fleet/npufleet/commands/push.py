"""npufleet push: weights, data and code to nodes, or once to a folder that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npufleet.commands.options import InventoryOption, LimitOption, verb
from npufleet.fleet import open_inventory
from npufleet.inventory import matching
from npufleet.project import ansible_environment
from npufleet.push import Push, items
from npufleet.result import Outcome, Progress


def push(
    source: Annotated[Path, typer.Argument(help="A file, or a folder whose contents are copied.")],
    target: Annotated[str, typer.Argument(help="Path on the nodes; with / at its end the folder for a file.")],
    limit: LimitOption = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="So many nodes at once.")] = 4,
    *,
    once: Annotated[bool, typer.Option(help="To one node alone: the target is storage that all share.")] = False,
    inventory: InventoryOption = None,
) -> Outcome:
    """Copy files to nodes, resumable and verified. What is there already is left alone.

    Exit codes: 0 all nodes have all files, 3 some do not, 1 none does, 4 none could be reached.
    """
    found = open_inventory(inventory)
    nodes = found.nodes if limit is None else matching(found, limit, ansible_environment())
    return Progress("push", Push(nodes[:1] if once else nodes, items(source, target), parallel).steps())


app = verb(push)
