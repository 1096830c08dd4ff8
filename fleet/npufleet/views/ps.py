"""The workloads of the fleet, one line each, with the reason below what did not go well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from npu_agent import api
from npufleet.job import ranks
from npufleet.result import Failure
from npufleet.survey import spans
from npufleet.views import marks, times
from npufleet.views.rows import Column, Row, Rows
from npufleet.workloads import Placed

COLUMNS = (
    Column("NAME", least=12),
    Column("NODE", least=8),
    Column("STATE"),
    Column("NPUS", least=8),
    Column("SINCE", keep=5),
    Column("IMAGE", keep=4, least=12),
)
_BOUNDS = {api.RUNNING: "started_at", api.EXITED: "finished_at", api.FAILED: "finished_at"}


def listing(placed: Sequence[Placed], unseen: Sequence[Failure], now: datetime | None = None) -> RenderableType:
    parts: list[RenderableType] = []
    if placed:
        parts.append(Rows(COLUMNS, lambda plain: [_row(entry, plain, now) for entry in placed]))
    else:
        parts.append(
            Text("  No workloads." if not unseen else "  No workloads on the nodes that answered.", style="dim")
        )
    return Group(*parts)


def _row(entry: Placed, plain: bool, now: datetime | None) -> Row:
    workload = entry.workload
    mark = marks.of(workload.state)
    state = workload.state if workload.exit_code is None else f"{workload.state} ({workload.exit_code})"
    return Row(
        cells=(
            Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(workload.name), "bold"), _rank(workload)),
            Text(marks.clean(entry.node)),
            Text(marks.clean(state), style=mark.style),
            Text(spans(workload.npus)),
            Text(times.since(getattr(workload, _BOUNDS.get(workload.state, "started_at")), now)),
            Text(marks.clean(image_of(workload))),
        ),
        notes=[Text(marks.clean(workload.reason))] if workload.reason and workload.state != api.RUNNING else [],
    )


def _rank(workload: api.Workload) -> str:
    rank = ranks.rank_of(workload)
    return "" if rank is None else f"[{rank}]"


def image_of(workload: api.Workload) -> str:
    return str(workload.resolved.image if workload.resolved else workload.spec.get("image", ""))
