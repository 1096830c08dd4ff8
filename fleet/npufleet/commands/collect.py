"""npufleet collect: gather logs and facts for a support ticket in one file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from npufleet.collect import Bundle
from npufleet.commands.options import InventoryOption, LimitOption, verb
from npufleet.playbook import start
from npufleet.playbook_story import Order
from npufleet.project import find_inventory, find_project
from npufleet.result import Outcome


def collect(
    limit: LimitOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The archive to write; else one in the checkout's build/collect.", show_default=False
        ),
    ] = None,
    inventory: InventoryOption = None,
) -> Outcome:
    """Gather logs and facts for a support ticket in one file. Secrets are taken out on the nodes.

    Exit codes: 0 all nodes gave theirs, 3 some did not, 1 none did, 4 none could be reached.
    """
    source, project = find_inventory(inventory), find_project()
    folder = project.root / "build" / "collect"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    bundle = Bundle(folder / stamp, output.resolve() if output else folder / f"npufleet-collect-{stamp}.tar.gz")
    order = Order(
        "collect",
        "playbooks/collect.yml",
        source,
        limit=limit,
        extra={"collect_folder": str(bundle.loose)},
        conclude=bundle.conclude,
    )
    return start(order, project)


app = verb(collect)
