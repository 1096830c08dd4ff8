"""npufleet prepare: take the nodes from bare to ready."""

from __future__ import annotations

from typing import Annotated

import typer

from npufleet.commands.options import InventoryOption, LimitOption, TagsOption, verb
from npufleet.playbook import start
from npufleet.playbook_story import Order
from npufleet.project import find_inventory, find_project
from npufleet.result import Outcome


def prepare(
    limit: LimitOption = None,
    tags: TagsOption = None,
    *,
    check: Annotated[bool, typer.Option("-C", "--check", help="Show what would change and change nothing.")] = False,
    inventory: InventoryOption = None,
) -> Outcome:
    """Take the nodes from bare to ready: the whole of site.yml. A second run changes nothing.

    Exit codes: 0 all nodes are ready, 3 some are not, 1 none is, 4 none could be reached.
    """
    source = find_inventory(inventory)
    return start(Order("prepare", "site.yml", source, limit=limit, tags=tags, check=check), find_project())


app = verb(prepare)
