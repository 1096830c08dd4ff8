"""npufleet preflight: Check the nodes and change nothing."""

from __future__ import annotations

from npufleet.commands.options import InventoryOption, LimitOption, TagsOption, verb
from npufleet.playbook import start
from npufleet.playbook_story import Order
from npufleet.project import find_inventory, find_project
from npufleet.result import Outcome


def preflight(limit: LimitOption = None, tags: TagsOption = None, inventory: InventoryOption = None) -> Outcome:
    """Check the nodes and change nothing.

    Exit codes: 0 all nodes are fine, 3 some are not, 1 none is, 4 none could be reached.
    """
    source = find_inventory(inventory)
    return start(Order("preflight", "playbooks/preflight.yml", source, limit=limit, tags=tags), find_project())


app = verb(preflight)
