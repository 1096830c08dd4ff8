"""A playbook run while it goes on and when it is over; both fit a screen, however many nodes there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from npufleet import playbook_events as events
from npufleet.playbook_events import NodeRun, Tracker
from npufleet.survey import natural
from npufleet.views import marks, times
from npufleet.views.rows import AsciiDependent, Column, Row, Rows

COLUMNS = (
    Column("NODE", least=10),
    Column("STATE"),
    Column("DONE", right=True),
    Column("CHANGED", right=True, keep=7),
    Column("STAGE", least=8, keep=8),
    Column("TASK", least=12, keep=6),
)
# Above this many, those that went well are only counted.
FINE_NODES_SHOWN = 12
FAILURES_SHOWN = 20
MESSAGE_LINES = 6
_RANK = {events.FAILED: 0, events.UNREACHABLE: 0, events.STOPPED: 1, events.WORKING: 1, events.DONE: 2}
_MARKS = {
    events.FAILED: marks.BAD,
    events.UNREACHABLE: marks.BAD,
    events.STOPPED: marks.WARN,
    events.DONE: marks.OK,
}
_RUNNING = marks.Mark("◌", ".", "blue")


class Screenful:
    """As many nodes as the terminal has room for, those in trouble first."""

    def __init__(self, verb: str, tracker: Tracker, elapsed_s: float) -> None:
        self._verb, self._tracker, self._elapsed_s = verb, tracker, elapsed_s

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        nodes = sorted(self._tracker.nodes.values(), key=_rank)
        room = max(3, console.size.height - 6)
        yield self._headline()
        if nodes:
            yield Rows(COLUMNS, lambda plain: [_row(node, plain, live=True) for node in nodes[:room]])
        if len(nodes) > room:
            yield Text(f"  and {len(nodes) - room} more: {_counts(nodes[room:])}", style="dim")

    def _headline(self) -> Text:
        head = Text.assemble((self._verb, "bold"), f"  {times.span(self._elapsed_s)}")
        if self._tracker.task:
            head.append(f"  {marks.clean(self._tracker.stage)} | {marks.clean(self._tracker.task)}", style="dim")
        head.no_wrap, head.overflow = True, "ellipsis"
        return head


def progress(verb: str, tracker: Tracker, elapsed_s: float) -> RenderableType:
    return Screenful(verb, tracker, elapsed_s)


def _rank(node: NodeRun) -> tuple[int, list[tuple[int, str]]]:
    return _RANK.get(node.state, 1), natural(node.name)


def _counts(nodes: Sequence[NodeRun]) -> str:
    states = Counter(node.state for node in nodes)
    return ", ".join(f"{states[state]} {state}" for state in sorted(states))


def _row(node: NodeRun, plain: bool, *, live: bool) -> Row:
    mark = _MARKS.get(node.state, _RUNNING)
    ended_well = node.state == events.DONE
    return Row(
        cells=(
            Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(node.name), "bold")),
            Text(node.state, style=mark.style),
            Text(str(node.done)),
            Text(str(node.changed), style="yellow" if node.changed else "dim"),
            Text("" if ended_well else marks.clean(node.stage)),
            Text("" if ended_well else marks.clean(node.task), style="dim"),
        ),
        notes=[] if live else [*_message(node), *_findings(node, plain)],
    )


def _message(node: NodeRun) -> list[Text]:
    """Leave out a message that only repeats the findings below it."""
    if any(_words(finding.get("text")) in node.message for finding in _amiss(node) if finding.get("text")):
        return []
    lines = [line for line in node.message.splitlines() if line.strip()]
    return [Text(marks.clean(line)) for line in lines[:MESSAGE_LINES]]


def _amiss(node: NodeRun) -> list[dict[str, Any]]:
    """Not the notes: what they tell was so before the run, and preflight's own report has them."""
    failed = (finding for finding in node.findings if finding.get("state") == "fail")
    return [finding for finding in failed if finding.get("severity") != "info"]


def _findings(node: NodeRun, plain: bool) -> list[Text]:
    """What the preflight role found amiss, with its tip; what is fine is not worth a line."""
    notes: list[Text] = []
    for finding in _amiss(node):
        serious = finding.get("severity") == "error"
        mark = (marks.BAD if serious else marks.WARN).text(ascii_only=plain)
        notes.append(mark.append(f" {_words(finding.get('text'))}"))
        if tip := _words(finding.get("tip")):
            notes.append(Text("  ").append_text(marks.arrow(tip, ascii_only=plain)))
    return notes


def _words(text: object) -> str:
    return marks.clean(text or "")


def summary(verb: str, nodes: Sequence[NodeRun], took_s: float) -> RenderableType:
    ordered = sorted(nodes, key=_rank)
    troubled = [node for node in ordered if node.state != events.DONE]
    fine = [node for node in ordered if node.state == events.DONE]
    telling = [node for node in fine if _findings(node, plain=True)]
    shown = troubled[:FAILURES_SHOWN] + (fine if len(nodes) <= FINE_NODES_SHOWN else telling[:FINE_NODES_SHOWN])
    parts: list[RenderableType] = []
    if shown:
        parts += [Rows(COLUMNS, lambda plain: [_row(node, plain, live=False) for node in shown]), Text()]
    parts.append(AsciiDependent(lambda plain: _last_line(verb, nodes, took_s, plain)))
    return Group(*parts)


def _last_line(verb: str, nodes: Sequence[NodeRun], took_s: float, plain: bool) -> Text:
    states = Counter(node.state for node in nodes)
    fine = bool(nodes) and states[events.DONE] == len(nodes)
    line = (marks.OK if fine else marks.BAD).text(ascii_only=plain)
    line.append(f" {verb}", style="bold")
    line.append(f": {marks.counted(len(nodes), 'node')}")
    line.append("".join(f", {states[state]} {state}" for state in _RANK if states[state]))
    changed = sum(node.changed for node in nodes)
    return line.append(f"; {marks.counted(changed, 'change')}; {times.span(took_s)}")
