"""The options that several verbs share, with one meaning and one wording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer


def _said_before_the_verb(context: typer.Context, value: Path | None) -> Path | None:
    """`npufleet -i X status` is `npufleet status -i X`."""
    above = context.parent
    while value is None and above is not None:
        value, above = above.params.get("inventory"), above.parent
    return value


InventoryOption = Annotated[
    Path | None,
    typer.Option(
        "-i",
        "--inventory",
        help="Inventory folder or file; else NPUFLEET_INVENTORY, else inventory/lab.",
        show_default=False,
        callback=_said_before_the_verb,
    ),
]
LimitOption = Annotated[
    str | None, typer.Option("-l", "--limit", help="Only these nodes (Ansible's host patterns).", show_default=False)
]
TagsOption = Annotated[
    str | None, typer.Option("-t", "--tags", help="Only these roles, by their tags.", show_default=False)
]


YesOption = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask: for scripts.")]
OwnerOption = Annotated[
    str | None, typer.Option("--owner", help="Whose cordon it is; else you@this-machine.", show_default=False)
]
NodesArgument = Annotated[list[str], typer.Argument(metavar="NODE...", help="Names in the inventory.")]


def verb(function: Callable[..., Any]) -> typer.Typer:
    """Make the typer app of one verb."""
    app = typer.Typer(add_completion=False)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(function)
    return app
