"""npufleet ps: the workloads of all nodes."""

from __future__ import annotations

from npufleet import workloads
from npufleet.commands.options import InventoryOption, verb
from npufleet.fleet import open_fleet
from npufleet.result import Outcome, Result
from npufleet.views import ps as view


def ps(inventory: InventoryOption = None) -> Outcome:
    """List the workloads of all nodes.

    Exit codes: 0 all nodes answered, 3 some did not, 4 none could be reached.
    """
    listing = workloads.list_all(open_fleet(inventory))
    return Result(
        command="ps",
        data={"workloads": [placed.to_dict() for placed in listing.placed]},
        errors=listing.failures,
        exit_code=listing.exit_code,
        view=lambda: view.listing(listing.placed, listing.failures),
    )


app = verb(ps)
