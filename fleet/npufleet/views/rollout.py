"""A rollout as a table: every node that is not simply done or still to come, and how many are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from npufleet.rollout import states
from npufleet.rollout.rows import NodeRow, RolloutRow
from npufleet.views import marks, times
from npufleet.views.rows import AsciiDependent, Column, Row, Rows

COLUMNS = (Column("NODE", least=8), Column("BATCH", right=True), Column("STATE"), Column("SINCE", keep=5))
# Above this many, nodes of which there is nothing to tell are only counted.
QUIET_NODES_SHOWN = 16
NOTED_NODES_SHOWN = 40
_QUIET = {states.PENDING, states.HEALTHY, states.REVERTED}
_WORKING = marks.Mark("◌", ".", "blue")
_MARKS = {
    states.HEALTHY: marks.OK,
    states.SUCCESSFUL: marks.OK,
    states.REVERTED: marks.WARN,
    states.SKIPPED: marks.OFF,
    states.PENDING: marks.OFF,
    states.CANCELLED: marks.OFF,
    states.FAILED: marks.BAD,
    states.BLOCKED: marks.BAD,
    states.UNREACHABLE: marks.BAD,
    states.PAUSED: marks.WARN,
}


def overview(rollout: RolloutRow, revision: str, nodes: Sequence[NodeRow], moved_by: str) -> RenderableType:
    many = len(nodes) > QUIET_NODES_SHOWN
    shown = [node for node in nodes if not (many and node.state in _QUIET)][:NOTED_NODES_SHOWN]
    parts: list[RenderableType] = []
    if shown:
        parts += [Rows(COLUMNS, lambda plain: [_row(node, plain) for node in shown]), Text()]
    parts.append(AsciiDependent(lambda plain: _summary(rollout, revision, nodes, moved_by, plain)))
    return Group(*parts)


def _row(node: NodeRow, plain: bool) -> Row:
    mark = _MARKS.get(node.state, _WORKING)
    cordon = Text(" cordoned", style="yellow") if node.cordon and node.state not in states.ACTIVE else Text()
    return Row(
        cells=(
            Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(node.node), "bold")),
            Text(str(node.batch + 1)),
            Text(node.state, style=mark.style).append_text(cordon),
            Text(times.since(node.since) if node.state != states.PENDING else ""),
        ),
        notes=[Text(marks.clean(node.reason))] if node.reason else [],
    )


def _summary(rollout: RolloutRow, revision: str, nodes: Sequence[NodeRow], moved_by: str, plain: bool) -> Text:
    line = _MARKS.get(rollout.state, _WORKING).text(ascii_only=plain)
    line.append(f" {rollout.id}", style="bold").append(f" of {marks.clean(revision)}: {rollout.state}")
    line.append(", on the way back" if rollout.goes_back and rollout.state not in states.OVER else "")
    line.append(f": {marks.clean(rollout.reason)}" if rollout.reason else "")
    counts = Counter(node.state for node in nodes)
    told = ", ".join(f"{counts[state]} {state}" for state in states.NODE if counts[state])
    line.append(f"\n  {marks.counted(len(nodes), 'node')}: {told}", style="dim")
    if rollout.state == states.RUNNING:
        line.append(f"\n  moved by {moved_by}" if moved_by else "", style="dim")
    if advice := _advice(rollout, moved_by, failed=any(counts[state] for state in states.BAD)):
        line.append("\n  ").append_text(marks.arrow(advice, ascii_only=plain))
    return line


def _advice(rollout: RolloutRow, moved_by: str, *, failed: bool) -> str:
    if rollout.state in {states.RUNNING, states.PENDING}:
        return "" if moved_by else "its session has died; go on with npufleet rollout resume"
    if rollout.state == states.PAUSED:
        verbs = "retry, resume (goes on without them), rollback or abort" if rollout.asks else "resume or abort"
        return f"npufleet rollout {'promote, rollback or abort' if 'promote' in rollout.reason else verbs}"
    if rollout.state == states.BLOCKED:
        return "mend the nodes, then: npufleet rollout retry; or resume to go on, or rollback"
    if rollout.state == states.FAILED:
        again = "; npufleet rollout retry takes the failed nodes once more" if failed else ""
        return f"npufleet rollout history {rollout.number} tells every step{again}"
    return ""


def plan(document: dict[str, Any]) -> RenderableType:
    """What a rollout would do: its batches, and what stands in its way now."""
    text = Text.assemble(("plan", "bold"), f" of {marks.clean(document['revision']['name'])}", "\n")
    for number, names in enumerate(document["batches"], 1):
        kind = " (canary)" if number == 1 and document["canary"] else ""
        text.append(f"  batch {number}{kind}: ").append(marks.clean(", ".join(names)) + "\n")
    for step in document["steps"]:
        text.append(f"  {marks.clean(step)}\n", style="dim")
    warnings = [Text(f"  {marks.clean(words)}", style="yellow") for words in document["warnings"]]
    return Group(text, *warnings)


HISTORY = (
    Column("ROLLOUT"),
    Column("REVISION", least=8),
    Column("STATE"),
    Column("NODES", right=True),
    Column("CREATED", keep=5),
)


def history(rollouts: Sequence[tuple[RolloutRow, str, int]]) -> RenderableType:
    if not rollouts:
        return Text("  No rollout yet.", style="dim")
    return Rows(HISTORY, lambda plain: [_line(row, name, count, plain) for row, name, count in rollouts])


def _line(row: RolloutRow, revision: str, count: int, plain: bool) -> Row:
    mark = _MARKS.get(row.state, _WORKING)
    return Row(
        cells=(
            Text.assemble(mark.text(ascii_only=plain), " ", (row.id, "bold")),
            Text(marks.clean(revision)),
            Text(row.state, style=mark.style),
            Text(str(count)),
            Text(row.created),
        ),
        notes=[Text(marks.clean(row.reason))] if row.reason else [],
    )


def story(steps: Sequence[dict[str, Any]], sessions: Sequence[dict[str, Any]]) -> RenderableType:
    """One rollout step by step; a session without an end was killed."""
    by_session: dict[int, list[dict[str, Any]]] = {}
    for step in steps:
        by_session.setdefault(step["session"], []).append(step)
    text = Text()
    for session in ({"number": 0, "kind": "written", "operator": "", "host": "", "pid": 0}, *sessions):
        found = by_session.get(session["number"], [])
        if session["number"]:
            ended = session["outcome"] or "never ended: it was killed, or is still at work"
            head = (
                f"{session['kind']} by {session['operator']} on {session['host']} (process {session['pid']}): {ended}\n"
            )
            text.append(head, style="bold")
        for step in found:
            why = f": {marks.clean(step['reason'])}" if step["reason"] else ""
            text.append(f"  {step['at']}  {marks.clean(step['node'] or '-')}  {step['what']}{why}\n")
    return text
