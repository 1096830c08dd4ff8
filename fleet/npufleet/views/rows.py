"""A quiet table: no rules, columns that give way on narrow terminals, and full-width notes below their row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from npufleet.views import marks

GAP = 2
ALWAYS = 9


@dataclass(frozen=True)
class AsciiDependent:
    """A renderable that is told, when it is drawn, whether the terminal knows only ASCII."""

    build: Callable[[bool], RenderableType]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.build(marks.ascii_only(console, options))


@dataclass(frozen=True)
class Column:
    """`keep` says how long a column resists on narrow terminals: the lowest gives way first.

    It goes altogether, unless `least` allows to cut it short, down to that many cells.
    """

    title: str
    keep: int = ALWAYS
    right: bool = False
    least: int | None = None


@dataclass(frozen=True)
class Row:
    cells: Sequence[Text]
    notes: Sequence[Text] = ()


@dataclass(frozen=True)
class Rows:
    """`build` is asked for rows at rendering time, once it is known whether the terminal has more than ASCII."""

    columns: Sequence[Column]
    build: Callable[[bool], Sequence[Row]]
    indent: int = 2
    note_indent: int = 4

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plain = marks.ascii_only(console, options)
        rows = self.build(plain)
        widths = self._fit(rows, options.max_width - self.indent)
        shown = [index for index, width in enumerate(widths) if width]
        yield self._line([Text(self.columns[i].title, style="dim") for i in shown], shown, widths, plain)
        for row in rows:
            yield self._line([row.cells[i] for i in shown], shown, widths, plain)
            for note in row.notes:
                yield from indented(console, note, self.note_indent, options.max_width)

    def _fit(self, rows: Sequence[Row], room: int) -> list[int]:
        """Give each column its natural width, then cut and drop until all fit; 0 means dropped."""
        widths = [
            max([cell_len(column.title), *(row.cells[index].cell_len for row in rows)])
            if any(row.cells[index].plain for row in rows)
            else 0
            for index, column in enumerate(self.columns)
        ]
        for index in self._weakest_first():
            excess = _needed(widths) - room
            column = self.columns[index]
            if excess > 0 and column.least is not None:
                widths[index] = min(widths[index], max(column.least, widths[index] - excess))
            elif excess > 0 and column.keep < ALWAYS:
                widths[index] = 0
        return widths

    def _weakest_first(self) -> list[int]:
        return sorted(range(len(self.columns)), key=lambda index: self.columns[index].keep)

    def _line(self, cells: Sequence[Text], shown: Sequence[int], widths: Sequence[int], plain: bool) -> Text:
        line = Text(" " * self.indent, no_wrap=True, overflow="crop")
        for index, cell in zip(shown, cells, strict=True):
            fitted = cell.copy()
            fitted.truncate(widths[index], overflow="crop" if plain else "ellipsis")
            missing = widths[index] - fitted.cell_len
            if self.columns[index].right:
                fitted.pad_left(missing)
            else:
                fitted.pad_right(missing)
            line.append_text(fitted)
            line.append(" " * GAP)
        line.rstrip()
        return line


def _needed(widths: Sequence[int]) -> int:
    used = [width for width in widths if width]
    return sum(used) + GAP * (len(used) - 1)


def indented(console: Console, note: Text, indent: int, width: int) -> Iterator[Text]:
    """Wrap a text and indent each of its lines, without the trailing blanks of a padded block."""
    for line in note.wrap(console, max(20, width - indent)):
        line.rstrip()
        yield Text(" " * indent).append_text(line)
