"""How far a push is on each node, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from npufleet.views import marks
from npufleet.views.rows import AsciiDependent

if TYPE_CHECKING:
    from npufleet.push import Tally

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(number: float) -> str:
    step = 0
    while number >= 1024 and step < len(_UNITS) - 1:
        number, step = number / 1024, step + 1
    return f"{number:.0f} {_UNITS[step]}" if step == 0 else f"{number:.1f} {_UNITS[step]}"


def progress(tallies: Sequence[Tally]) -> RenderableType:
    return Group(*(Text(f"  {line(tally)}") for tally in tallies if tally.state == "sending"))


def line(tally: Tally) -> str:
    there = tally.sent + tally.kept
    percent = 100 * there // tally.total if tally.total else 100
    kept = f", {size(tally.kept)} there already" if tally.kept else ""
    return f"{tally.node}: {tally.state}, {percent} % of {size(tally.total)}{kept}, {size(tally.rate)}/s"


def done(tallies: Sequence[Tally]) -> RenderableType:
    return AsciiDependent(lambda plain: Group(*(_done(tally, plain) for tally in tallies)))


def _done(tally: Tally, plain: bool) -> Text:
    mark = (marks.OK if tally.state == "done" else marks.BAD).text(ascii_only=plain)
    files = marks.counted(tally.files, "file")
    sent = f"{size(tally.sent)} sent, {size(tally.kept)} there already"
    rest = f"  {files} verified, {sent}, {tally.took_s:.1f} s, {size(tally.rate)}/s"
    return Text.assemble(mark, " ", (tally.node, "bold"), f" {tally.state}", rest if tally.files or tally.sent else "")
