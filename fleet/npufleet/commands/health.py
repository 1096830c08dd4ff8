"""npufleet health NODE: every part of one node, with reason and advice."""

from __future__ import annotations

from typing import Annotated

import typer

from npufleet import survey
from npufleet.commands.options import InventoryOption, verb
from npufleet.fleet import open_fleet
from npufleet.result import Exit, Outcome, Result
from npufleet.views import health as view


def health(
    node: Annotated[str, typer.Argument(help="Its name in the inventory.")], inventory: InventoryOption = None
) -> Outcome:
    """Show what one node's agent knows about each of its parts.

    Exit codes: 0 the node is ready, 1 it is not, 4 it could not be reached.
    """
    fleet = open_fleet(inventory)
    answer = fleet.ask(survey.inquire, [node])[0]
    if answer.problem is not None:
        raise answer.problem
    status = survey.judge(answer)
    assert status.facts is not None, "a node that answered has facts"
    return Result(
        command="health",
        data={**survey.to_dict(status), "components": [part.to_dict() for part in status.facts.health.components]},
        errors=(status.failure,) if status.failure else (),
        exit_code=Exit.FINE if status.state == survey.READY else Exit.FAILED,
        view=lambda: view.detail(status),
        view_tells_errors=True,
    )


app = verb(health)
