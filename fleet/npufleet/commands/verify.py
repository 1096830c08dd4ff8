"""npufleet verify: tell what differs on the nodes from what the inventory says."""

from __future__ import annotations

from npufleet import drift
from npufleet.commands.options import InventoryOption, LimitOption, TagsOption, verb
from npufleet.playbook import start
from npufleet.playbook_story import Order
from npufleet.project import find_inventory, find_project
from npufleet.result import Outcome


def verify(limit: LimitOption = None, tags: TagsOption = None, inventory: InventoryOption = None) -> Outcome:
    """Tell what differs on the nodes from what the inventory says. Changes nothing.

    Exit codes: 0 all nodes are in step, 3 some drifted or could not be compared, 1 none could be, 4 none was reached.
    """
    source = find_inventory(inventory)
    order = Order("verify", "playbooks/drift.yml", source, limit=limit, tags=tags, check=True, conclude=drift.conclude)
    return start(order, find_project())


app = verb(verify)
