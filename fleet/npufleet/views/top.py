"""The live screen as it looks: a headline, as many nodes as fit, and the keys; never more lines than the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from npufleet import top
from npufleet.survey import NodeStatus
from npufleet.top import Screenful, Seen
from npufleet.views import marks, status
from npufleet.views.rows import Column, Row, Rows

COLUMNS = (
    Column("NODE", least=12),
    Column("STATE"),
    Column("NPUS"),
    Column("FREE", right=True),
    Column("BUSY", right=True),
    Column("HBM", right=True, keep=6),
    Column("HEAT", right=True, keep=7),
    Column("POWER", right=True, keep=5),
    Column("WHAT", keep=4, least=20),
)
# The headline (two lines), the titles, an empty line and the keys.
AROUND = 6


class Page:
    """Fits itself to the terminal at the moment it is drawn."""

    def __init__(self, seen: Seen | None, screen: Screenful) -> None:
        self._seen = seen
        self._screen = screen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        seen, screen = self._seen, self._screen
        if seen is None:
            yield Text("  asking all nodes ...", style="dim")
            return
        chosen = top.chosen(seen, screen)
        room = max(1, (options.height or console.height) - AROUND - len(seen.notices))
        first = min(screen.offset, max(0, len(chosen) - room))
        for notice in seen.notices:
            yield _one_line(Text(f"  {marks.clean(notice)}", style="bold yellow"))
        yield _headline(seen, screen, len(chosen))
        yield from status.summary_lines(seen.summary)
        yield Rows(COLUMNS, lambda plain: [_row(found, plain) for found in chosen[first : first + room]])
        yield Text()
        yield _keys(screen, first, min(first + room, len(chosen)), len(chosen))


def _one_line(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "crop"
    return text


def _headline(seen: Seen, screen: Screenful, shown: int) -> Text:
    text = Text(f"  {seen.at}, asked in {seen.took_s:.1f} s, by {screen.order}", style="dim")
    if screen.filter:
        text.append(f", {shown} match {marks.clean(screen.filter)}", style="cyan")
    if screen.paused:
        text.append(", PAUSED", style="bold yellow")
    return _one_line(text)


def _keys(screen: Screenful, first: int, last: int, total: int) -> RenderableType:
    if screen.typing:
        return _one_line(
            Text(f"  filter: {marks.clean(screen.filter)}_   enter keeps it, escape ends it", style="cyan")
        )
    where = f"{first + 1}-{last} of {total}" if total else "nothing matches"
    return _one_line(Text(f"  {where}   {top.HELP}", style="dim"))


def _row(found: NodeStatus, plain: bool) -> Row:
    now = top.load(found.npus)
    return Row(
        cells=(
            *status.head_cells(found, plain),
            _number(now.busy_percent, "%"),
            _number(now.hbm_percent, "%"),
            _number(now.hottest_c, "C" if plain else "°"),
            _number(now.power_w, "W"),
            _what(found),
        )
    )


def _number(value: float | None, unit: str) -> Text:
    return Text("-", style="dim") if value is None else Text(f"{value:.0f}{unit}")


def _what(found: NodeStatus) -> Text:
    """Why it is not fine, or else what runs there."""
    if found.reasons:
        return Text(marks.clean(found.reasons[0].text), style="red" if found.state != "ready" else "yellow")
    return Text(", ".join(_names(found.running)), style="blue")


def _names(names: Sequence[str]) -> list[str]:
    return [marks.clean(name) for name in names]
