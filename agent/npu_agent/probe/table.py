"""Boxed text tables: lines, cells and widths. Nothing here knows what the cells mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

RULE = "rule"
ROW = "row"
TEXT = "text"

_RULE = re.compile(r"\+[-=+|]+\+?")
# What terminals are told about colours, cursors and titles; and the mark that some editors put before a text.
_LONGEST_LINE = 2000
_MOST_LINES = 20000
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[()][0-9A-Za-z]|[=>78cDEHMNOZ])|\ufeff"
)


@dataclass(frozen=True)
class Line:
    """One line that is not blank. `widths` are the cells' widths as printed: a checksum, never a way to find values."""

    kind: str
    text: str
    cells: tuple[str, ...] = ()
    widths: tuple[int, ...] = ()
    closed: bool = True

    @property
    def double(self) -> bool:
        return self.kind == RULE and "=" in self.text


def plain(text: str) -> list[str]:
    """Split a text at line feeds, without what only a terminal is meant to see; tabs become the blanks they stand for.

    Other separators that Unicode knows may stand in a process's name and end no line.
    """
    return [line.expandtabs().strip() for line in raw_lines(text)]


def raw_lines(text: str) -> list[str]:
    """Split a text at line feeds, without what only a terminal is meant to see, and keep its tabs.

    No tool prints a line of thousands of characters, or lines by the ten thousands; what is more is dropped, so that
    nonsense costs little time. The last lines are kept: of several tables the last one counts.
    """
    found = _CONTROL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return [line[:_LONGEST_LINE] for line in found.split("\n")[-_MOST_LINES:]]


def lines(text: str) -> list[Line]:
    return [_line(line) for line in plain(text) if line]


def _line(text: str) -> Line:
    if _RULE.fullmatch(text):
        return Line(RULE, text, widths=tuple(len(part) for part in re.split(r"[+|]", text)[1:] if part))
    if not text.startswith("|"):
        return Line(TEXT, text)
    closed = text.endswith("|") and len(text) > 1
    parts = text[1 : -1 if closed else None].split("|")
    return Line(ROW, text, tuple(part.strip() for part in parts), tuple(len(part) for part in parts), closed)


def grids(text: str) -> list[list[dict[str, str]]]:
    """Read plain tables, one header row between two rules above the others. A row of another width is left out."""
    found: list[list[dict[str, str]]] = []
    header: Optional[Line] = None
    rules = 0
    for line in lines(text):
        if line.kind == TEXT:
            header = None
        # Within a table a rule may part the rows; between two tables there are two.
        elif line.kind == ROW and rules and (header is None or rules > 1):
            header = line
            found.append([])
        elif line.kind == ROW and header is not None and line.widths == header.widths:
            found[-1].append(dict(zip(header.cells, line.cells)))
        rules = rules + 1 if line.kind == RULE else 0
    return [rows for rows in found if rows]


def with_free_cell(line: Line, count: int, free: int) -> Line:
    """Put a row together again whose free text, in cell `free` of `count`, holds the sign that separates cells."""
    extra = len(line.cells) - count
    if extra <= 0 or not line.closed:
        return line
    parts = line.text[1:-1].split("|")
    parts[free : free + extra + 1] = ["|".join(parts[free : free + extra + 1])]
    return Line(line.kind, line.text, tuple(part.strip() for part in parts), tuple(len(part) for part in parts))


class WidthCheck:
    """Tells which cells lost or gained characters.

    A printed table pads its cells, so a cell of another width than its column was damaged on the way, and a number
    in it may be cut. Widths that several rows of a kind share are the way that table was written.
    """

    def __init__(self, reference: Sequence[Line], rows: Sequence[Line]) -> None:
        self._allowed: dict[tuple[int, int], set[int]] = {}
        for count in {len(row.widths) for row in rows}:
            known = [line.widths for line in reference if len(line.widths) == count]
            members = [row.widths for row in rows if len(row.widths) == count]
            for cell in range(count):
                self._allowed[count, cell] = _allowed({w[cell] for w in known}, [w[cell] for w in members])

    def intact(self, line: Line, cell: int) -> bool:
        if not line.closed and cell == len(line.cells) - 1:
            return False
        return line.widths[cell] in self._allowed[len(line.widths), cell]


def _allowed(reference: set[int], seen: Sequence[int]) -> set[int]:
    shared = {width for width, times in Counter(seen).items() if times > 1}
    return reference | shared or set(seen)
