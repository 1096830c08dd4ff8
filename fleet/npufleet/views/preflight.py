"""The report of preflight: a table of the fleet, and below it each finding once, with the nodes that have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from npufleet.survey import natural
from npufleet.views import marks, times
from npufleet.views.rows import AsciiDependent, Column, Row, Rows

if TYPE_CHECKING:
    from npufleet.preflight import NodeReport

COLUMNS = (
    Column("NODE", least=10),
    Column("VERDICT"),
    Column("NPUS", right=True),
    Column("HELD", right=True, keep=7),
    Column("DRIVER", keep=6),
    Column("FIRMWARE", keep=5),
    Column("ENGINE", keep=4),
    Column("SYSTEM", least=8, keep=3),
)
FINDING_COLUMNS = (Column("FINDING"), Column("NODES", least=10, keep=6))
# Above this many nodes, those that are fine are only counted.
FINE_SHOWN = 12
TROUBLED_SHOWN = 20
NODES_NAMED = 6
_MARKS = {"fine": marks.OK, "pass": marks.OK, "warning": marks.WARN, "info": marks.OFF}
_RANK = {"fine": 2, "warning": 1}


def report(nodes: Sequence[NodeReport], took_s: float, *, everything: bool) -> RenderableType:
    ordered = sorted(nodes, key=lambda node: (_RANK.get(node.verdict, 0), natural(node.name)))
    troubled = [node for node in ordered if node.verdict != "fine"]
    shown = troubled[:TROUBLED_SHOWN] + (ordered[len(troubled) :] if len(nodes) <= FINE_SHOWN else [])
    findings = list(_grouped(ordered, everything=everything))
    parts: list[RenderableType] = []
    if shown:
        parts += [Rows(COLUMNS, lambda plain: [_row(node, plain) for node in shown]), Text()]
    if len(troubled) > TROUBLED_SHOWN:
        parts += [Text(f"  and {len(troubled) - TROUBLED_SHOWN} more: --json has them all", style="dim"), Text()]
    if findings:
        rows = [(finding, names) for finding, names in findings]
        parts += [Rows(FINDING_COLUMNS, lambda plain: [_finding(*row, plain) for row in rows]), Text()]
    parts.append(AsciiDependent(lambda plain: _last_line(nodes, took_s, plain)))
    return Group(*parts)


def _row(node: NodeReport, plain: bool) -> Row:
    mark = _MARKS.get(node.verdict, marks.BAD)
    summary, driver, engine = node.summary, _part(node.summary, "driver"), _part(node.summary, "engine")
    return Row(
        cells=(
            Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(node.name), "bold")),
            Text(node.verdict, style=mark.style),
            Text(_count(summary)),
            Text(_held(summary), style="yellow"),
            Text(_told(driver, "driver_version")),
            Text(_told(driver, "firmware_version")),
            Text(_told(engine, "version") if engine.get("version") else "none" if engine else ""),
            Text(_told(summary, "system"), style="dim"),
        ),
        notes=[Text(marks.clean(node.message), style="red")] if node.message else [],
    )


def _count(summary: Mapping[str, Any]) -> str:
    """How many there are in /dev, of how many that any place knows of."""
    counts = _part(summary, "counts")
    known = [number for number in counts.values() if isinstance(number, int)]
    return f"{counts.get('/dev/davinci*', '?')}/{max(known)}" if known else ""


def _held(summary: Mapping[str, Any]) -> str:
    holders = summary.get("holders")
    held = (
        {npu for holder in holders if isinstance(holder, Mapping) for npu in holder.get("npus", [])} if holders else {}
    )
    return str(len(held)) if held else ""


def _grouped(nodes: Sequence[NodeReport], *, everything: bool) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
    """Findings that read the same are one, whatever the number of nodes; the worst first."""
    names: dict[tuple[str, ...], list[str]] = {}
    first: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for node in nodes:
        for finding in node.findings if everything else node.amiss:
            key = tuple(str(finding.get(part)) for part in ("id", "severity", "text"))
            first.setdefault(key, finding)
            names.setdefault(key, []).append(node.name)
    for key in sorted(first, key=lambda key: (_weight(first[key]), key)):
        yield first[key], names[key]


def _weight(finding: Mapping[str, Any]) -> int:
    return 3 if finding.get("state") == "pass" else ("error", "warning", "info").index(str(finding.get("severity")))


def _finding(finding: Mapping[str, Any], names: Sequence[str], plain: bool) -> Row:
    passed = finding.get("state") == "pass"
    mark = _MARKS.get("pass" if passed else str(finding.get("severity")), marks.BAD)
    named = ", ".join(map(marks.clean, names[:NODES_NAMED]))
    more = f" and {len(names) - NODES_NAMED} more" if len(names) > NODES_NAMED else ""
    notes = [Text(marks.clean(finding.get("text") or ""))]
    if tip := marks.clean(finding.get("tip") or ""):
        notes.append(marks.arrow(tip, ascii_only=plain))
    return Row(
        cells=(
            Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(finding.get("id")), "bold")),
            Text(named + more, style="dim"),
        ),
        notes=notes,
    )


def _last_line(nodes: Sequence[NodeReport], took_s: float, plain: bool) -> Text:
    verdicts = Counter(node.verdict for node in nodes)
    worst = (
        "error" if set(verdicts) - {"fine", "warning"} or not nodes else "warning" if verdicts["warning"] else "fine"
    )
    line = _MARKS.get(worst, marks.BAD).text(ascii_only=plain)
    line.append(" preflight", style="bold").append(f": {marks.counted(len(nodes), 'node')}")
    line.append("".join(f", {count} {verdict}" for verdict, count in sorted(verdicts.items())))
    return line.append(f"; {times.span(took_s)}")


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = document.get(key)
    return part if isinstance(part, Mapping) else {}


def _told(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return "" if not document else "?" if value in {None, ""} else marks.clean(value)
