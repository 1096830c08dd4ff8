"""What differs on which node; in step is one line, and a large fleet still fits a screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from npufleet.survey import natural
from npufleet.views import marks, times
from npufleet.views.rows import AsciiDependent, Column, Row, Rows

if TYPE_CHECKING:
    from npufleet.drift import NodeDrift

COLUMNS = (Column("NODE", least=10), Column("VERDICT"), Column("DIFFERS IN", least=12, keep=6))
# Above this many, those in step are only counted.
IN_STEP_SHOWN = 12
DRIFTED_SHOWN = 20
DIFFERENCES_SHOWN = 12
_MARKS = {"in step": marks.OK, "drifted": marks.WARN, "stopped": marks.WARN}


def report(nodes: Sequence[NodeDrift], remedy: str, took_s: float) -> RenderableType:
    ordered = sorted(nodes, key=lambda node: (node.verdict == "in step", natural(node.name)))
    amiss = [node for node in ordered if node.verdict != "in step"]
    shown = amiss[:DRIFTED_SHOWN] + (ordered[len(amiss) :] if len(nodes) <= IN_STEP_SHOWN else [])
    parts: list[RenderableType] = []
    if shown:
        parts += [Rows(COLUMNS, lambda plain: [_row(node, plain) for node in shown], note_indent=6), Text()]
    if len(amiss) > DRIFTED_SHOWN:
        parts.append(Text(f"  and {len(amiss) - DRIFTED_SHOWN} more: --json has them all", style="dim"))
    parts.append(AsciiDependent(lambda plain: _last_line(nodes, took_s, plain)))
    if remedy:
        parts.append(AsciiDependent(lambda plain: Text("  ").append_text(marks.arrow(remedy, ascii_only=plain))))
    return Group(*parts)


def _row(node: NodeDrift, plain: bool) -> Row:
    mark = _MARKS.get(node.verdict, marks.BAD)
    return Row(
        cells=(
            Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(node.name), "bold")),
            Text(node.verdict, style=mark.style),
            Text(", ".join(map(marks.clean, node.roles))),
        ),
        notes=_notes(node),
    )


def _notes(node: NodeDrift) -> list[Text]:
    notes = [Text(marks.clean(node.message), style="red")] if node.message else []
    width = max([len(role) for role in node.roles], default=0)
    for difference in node.differences[:DIFFERENCES_SHOWN]:
        place = f"{difference.role:<{width}}  {difference.kind:<7}"
        notes.append(Text.assemble((marks.clean(place), "dim"), f"  {marks.clean(difference.what)}"))
    if len(node.differences) > DIFFERENCES_SHOWN:
        notes.append(Text(f"and {len(node.differences) - DIFFERENCES_SHOWN} more: --json has them all", style="dim"))
    return notes


def _last_line(nodes: Sequence[NodeDrift], took_s: float, plain: bool) -> Text:
    verdicts = Counter(node.verdict for node in nodes)
    fine = bool(nodes) and verdicts["in step"] == len(nodes)
    line = (marks.OK if fine else marks.WARN if verdicts["drifted"] else marks.BAD).text(ascii_only=plain)
    line.append(" verify", style="bold").append(f": {marks.counted(len(nodes), 'node')}")
    line.append("".join(f", {count} {verdict}" for verdict, count in sorted(verdicts.items())))
    return line.append(f"; {times.span(took_s)}")
