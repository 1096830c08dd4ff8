"""The overview of the fleet: one line a node, worst first, with the why and the what-now below what is not fine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.text import Text

from npu_agent import api
from npufleet import rollup, survey
from npufleet.survey import NodeStatus, Summary
from npufleet.views import marks
from npufleet.views.rows import Column, Row, Rows

# More reasons than this for one node are for `npufleet health NODE`.
REASONS_SHOWN = 3
NPUS_IN_GROUP = 8

COLUMNS = (
    Column("NODE", least=12),
    Column("STATE"),
    Column("NPUS"),
    Column("FREE", right=True),
    Column("CHIP", keep=5),
    Column("DRIVER", keep=4),
    Column("AGENT", keep=3),
    Column("WORKLOADS", keep=8, least=12),
)
_WORDS = {survey.NOT_READY: "not ready"}


def overview(
    statuses: Sequence[NodeStatus], summary: Summary, *, everything: bool = True, notices: Sequence[str] = ()
) -> RenderableType:
    folded = rollup.fold(statuses, everything=everything)
    table = Rows(COLUMNS, lambda plain: _rows(folded, plain), note_indent=4)
    told = [Text(f"  {marks.clean(notice)}", style="bold yellow") for notice in notices]
    return Group(*told, table, Text(), _summary_line(summary))


def _rows(folded: rollup.Folded, plain: bool) -> list[Row]:
    rows = [_row(status, plain) for status in folded.worst]
    if folded.left_out:
        more = Text(f"and {folded.left_out} more that are not fine: npufleet status --all", style="bold")
        rows[-1] = Row(rows[-1].cells, (*rows[-1].notes, more))
    return rows + [_group_row(group, plain) for group in folded.groups]


def _group_row(group: rollup.Group, plain: bool) -> Row:
    """One line for all nodes of a group that are fine; a version stands there only if it is that of all of them."""
    count = len(group.nodes)
    seen = [status.facts.node for status in group.nodes if status.facts]
    chips = {node.chip for node in seen}
    drivers, agents = {node.driver_version for node in seen}, {node.agent_version for node in seen}
    npus = [npu for status in group.nodes for npu in status.npus]
    free = sum(len(status.free) for status in group.nodes)
    running = sum(len(status.running) for status in group.nodes)
    return Row(
        cells=(
            Text.assemble(marks.OK.text(ascii_only=plain), " ", (marks.clean(group.name), "bold")),
            Text(f"{count} ready" if count == group.of else f"{count} of {group.of} ready", style="green"),
            Text(marks.counted(len(npus), "NPU")),
            Text(f"{free}/{len(npus)}", style="" if free else "dim"),
            *(_common(found) for found in (chips, drivers, agents)),
            Text(marks.counted(running, "workload") if running else ""),
        )
    )


def _row(status: NodeStatus, plain: bool) -> Row:
    return Row(
        cells=(
            *head_cells(status, plain),
            *_versions(status.facts.node if status.facts else None),
            Text(", ".join(marks.clean(name) for name in status.running)),
        ),
        notes=_notes(status, plain),
    )


def _common(found: set[str] | set[str | None]) -> Text:
    if len(found) != 1:
        return Text("mixed", style="yellow")
    value = next(iter(found))
    return Text(marks.clean(value)) if value else marks.DUNNO.text()


def head_cells(status: NodeStatus, plain: bool) -> tuple[Text, Text, Text, Text]:
    """Name, state, a sign for each NPU, and how many are free."""
    mark = _mark(status)
    return (
        Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(status.node.name), "bold")),
        Text(_WORDS.get(status.state, status.state), style=mark.style),
        npu_cells(status.npus, plain) if status.facts else Text("-", style="dim"),
        _free(status),
    )


def _mark(status: NodeStatus) -> marks.Mark:
    if status.state == survey.READY and status.reasons:
        return marks.WARN
    return marks.of(status.state)


def _versions(node: api.Node | None) -> list[Text]:
    """Chip, driver and agent; a question mark where even the agent does not know."""
    if node is None:
        return [Text(), Text(), Text()]
    known = (node.chip, node.driver_version, node.agent_version)
    return [Text(marks.clean(value)) if value else marks.DUNNO.text() for value in known]


def _free(status: NodeStatus) -> Text:
    if not status.facts:
        return Text("-", style="dim")
    free, all_npus = len(status.free), len(status.npus)
    return Text(f"{free}/{all_npus}", style="" if free else "dim")


def npu_cells(npus: Sequence[api.Npu], plain: bool) -> Text:
    """One sign an NPU, by physical id; a gap after every eight."""
    cells = Text()
    for position, npu in enumerate(npus):
        if position and position % NPUS_IN_GROUP == 0:
            cells.append(" ")
        cells.append_text(marks.of(npu.state).text(ascii_only=plain))
    return cells if npus else Text("none seen", style="magenta")


def _notes(status: NodeStatus, plain: bool) -> list[Text]:
    shown = status.reasons[:REASONS_SHOWN]
    notes = []
    for reason in shown:
        notes.append(Text(marks.clean(reason.text)))
        if told := marks.advice(reason.action):
            notes.append(marks.arrow(told, ascii_only=plain))
    if status.facts is None and status.failure and status.failure.remedy:
        notes.append(marks.arrow(marks.clean(status.failure.remedy), ascii_only=plain))
    if more := len(status.reasons) - len(shown):
        notes.append(Text(f"and {more} more: npufleet health {status.node.name}", style="dim"))
    return notes


def _summary_line(summary: Summary) -> Text:
    nodes = _counts(summary.nodes, (survey.READY, survey.NOT_READY, survey.UNREACHABLE, survey.UNKNOWN))
    npus = _counts(summary.npus, (survey.FREE, survey.HELD, api.UNHEALTHY, api.UNKNOWN))
    line = Text(f"  {marks.counted(summary.total, 'node')}: ").append_text(nodes)
    line.append("\n  NPUs: ").append_text(npus if summary.npus else Text("none seen", style="magenta"))
    if summary.unseen:
        line.append(f" ({marks.counted(summary.unseen, 'node')} not seen)", style="dim")
    return line


def summary_lines(summary: Summary) -> list[Text]:
    return list(_summary_line(summary).split())


_STYLES = {survey.READY: "green", survey.FREE: "green", survey.HELD: "blue", survey.NOT_READY: "red"}
_ALARMS = {survey.UNREACHABLE: "red", api.UNHEALTHY: "red", survey.UNKNOWN: "magenta"}


def _counts(counts: dict[str, int], order: Sequence[str]) -> Text:
    """Say what there is; of what there is none, nothing is said."""
    parts = [
        Text(f"{counts[name]} {_WORDS.get(name, name)}", style={**_STYLES, **_ALARMS}.get(name, ""))
        for name in order
        if counts[name]
    ]
    return Text(", ").join(parts)


def with_time(view: RenderableType, now: datetime | None = None) -> RenderableType:
    """The same, under the time at which it was true: for a screen that renews itself."""
    at = (now or datetime.now(UTC)).astimezone()
    return Group(Text(f"  npufleet status, {at:%H:%M:%S}", style="dim"), Text(), view)
