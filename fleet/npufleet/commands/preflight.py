"""npufleet preflight: Check the nodes and change nothing."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from npufleet.commands.options import InventoryOption, LimitOption, verb
from npufleet.playbook import start
from npufleet.playbook_story import Order
from npufleet.preflight import Report
from npufleet.project import find_inventory, find_project
from npufleet.result import Outcome


class Language(enum.StrEnum):
    EN = "en"
    ZH = "zh"


def preflight(
    limit: LimitOption = None,
    lang: Annotated[
        Language | None,
        typer.Option("--lang", help="Language of the findings; else preflight_language.", show_default=False),
    ] = None,
    ticket: Annotated[
        Path | None,
        typer.Option("--ticket", help="Write the report to this file, for a support ticket.", show_default=False),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("-a", "--all", help="Show the checks that passed too.")] = False,
    inventory: InventoryOption = None,
) -> Outcome:
    """Check the nodes and change nothing.

    Exit codes: 0 no node has an error, 3 some have, 1 all have, 4 none could be reached. Warnings do not count.
    """
    source = find_inventory(inventory)
    report = Report(lang or Language.EN, everything, ticket and ticket.resolve())
    order = Order(
        "preflight",
        "playbooks/preflight.yml",
        source,
        limit=limit,
        extra={"preflight_language": lang.value} if lang else {},
        conclude=report.conclude,
    )
    return start(order, find_project())


app = verb(preflight)
