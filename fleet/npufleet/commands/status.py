"""npufleet status: every node and its NPUs, worst first, with the reason and what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from npufleet import survey
from npufleet.commands.options import InventoryOption, verb
from npufleet.fleet import Fleet, open_fleet
from npufleet.result import Outcome, Result, Watch
from npufleet.views import status as view


def status(
    inventory: InventoryOption = None,
    watch: Annotated[
        float | None, typer.Option("-w", "--watch", min=0.5, help="Renew every so many seconds.", show_default=False)
    ] = None,
) -> Outcome:
    """Show every node and its NPUs, worst first.

    The signs of the NPUs: ● healthy, ▲ degraded, ✖ unhealthy, ? unknown.

    Exit codes: 0 all nodes are ready, 3 some are not, 4 none could be reached.
    """
    fleet = open_fleet(inventory)
    if watch is not None:
        return Watch("status", _again_and_again(fleet, watch))
    return look(fleet)


def look(fleet: Fleet, *, with_time: bool = False) -> Result:
    statuses = survey.take(fleet)
    summary = survey.summarize(statuses)
    return Result(
        command="status",
        data={"nodes": [survey.to_dict(status) for status in statuses], "summary": summary.to_dict()},
        errors=tuple(status.failure for status in statuses if status.failure),
        exit_code=summary.exit_code,
        view=lambda: (
            view.with_time(view.overview(statuses, summary)) if with_time else view.overview(statuses, summary)
        ),
        view_tells_errors=True,
    )


def _again_and_again(fleet: Fleet, pause_s: float) -> Iterator[Result]:
    while True:
        yield look(fleet, with_time=True)
        time.sleep(pause_s)


app = verb(status)
