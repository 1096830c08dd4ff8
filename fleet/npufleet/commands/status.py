"""npufleet status: every node and its NPUs, worst first, with the reason and what to do."""

from __future__ import annotations

import csv
import enum
import io
import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import RenderableType

from npufleet import survey
from npufleet.commands.options import InventoryOption, LimitOption, verb
from npufleet.fleet import Fleet, open_fleet
from npufleet.result import Outcome, Result, Watch
from npufleet.survey import NodeStatus
from npufleet.views import marks
from npufleet.views import status as view


class Format(enum.StrEnum):
    """What scripts take line by line; --json has everything."""

    TABLE = "table"
    NAMES = "names"
    CSV = "csv"


def status(
    inventory: InventoryOption = None,
    limit: LimitOption = None,
    everything: Annotated[
        bool, typer.Option("-a", "--all", help="A line for every node, also in a large fleet.")
    ] = False,
    output: Annotated[Format, typer.Option("-o", "--output", help="A table, or lines for scripts.")] = Format.TABLE,
    watch: Annotated[
        float | None, typer.Option("-w", "--watch", min=0.5, help="Renew every so many seconds.", show_default=False)
    ] = None,
) -> Outcome:
    """Show every node and its NPUs, worst first. In a large fleet those that are fine are counted by group.

    The signs of the NPUs: ● healthy, ▲ degraded, ✖ unhealthy, ? unknown.

    Exit codes: 0 all nodes are ready, 3 some are not, 4 none could be reached.
    """
    fleet = open_fleet(inventory, limit=limit)
    if watch is not None:
        return Watch("status", _again_and_again(fleet, watch, everything))
    return look(fleet, everything=everything, output=output)


def look(fleet: Fleet, *, with_time: bool = False, everything: bool = False, output: Format = Format.TABLE) -> Result:
    statuses = survey.take(fleet, once=not with_time)
    summary = survey.summarize(statuses)
    notices = fleet.inventory.notices

    def page() -> RenderableType:
        shown = view.overview(statuses, summary, everything=everything, notices=notices)
        return view.with_time(shown) if with_time else shown

    return Result(
        command="status",
        data={
            "nodes": [survey.to_dict(status) for status in statuses],
            "summary": summary.to_dict(),
            "notices": list(notices),
        },
        text=None if output == Format.TABLE else _lines(statuses, output),
        errors=tuple(status.failure for status in statuses if status.failure),
        exit_code=summary.exit_code,
        view=page,
        view_tells_errors=True,
    )


def _lines(statuses: Sequence[NodeStatus], output: Format) -> str:
    if output == Format.NAMES:
        return "".join(f"{status.node.name}\n" for status in statuses)
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(("node", "state", "npus", "free", "chip", "driver", "agent", "reasons"))
    for status in statuses:
        node = status.facts.node if status.facts else None
        # Of a node that was not seen nothing is known: empty fields, and no zeros.
        counts = (len(status.npus), len(status.free)) if node else ("", "")
        versions = (node.chip, node.driver_version, node.agent_version) if node else ("", "", "")
        reasons = "; ".join(marks.clean(reason.text) for reason in status.reasons)
        table.writerow((status.node.name, status.state, *counts, *versions, reasons))
    return lines.getvalue()


def _again_and_again(fleet: Fleet, pause_s: float, everything: bool) -> Iterator[Result]:
    while True:
        yield look(fleet, with_time=True, everything=everything)
        time.sleep(pause_s)


app = verb(status)
