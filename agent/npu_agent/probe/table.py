"""Boxed text tables: lines, cells and widths. Nothing here knows what the cells mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

RULE = "rule"
ROW = "row"
TEXT = "text"

_RULE = re.compile(r"\+[-=+|]+\+?")


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


def lines(text: str) -> list[Line]:
    return [_line(raw.strip()) for raw in text.splitlines() if raw.strip()]


def _line(text: str) -> Line:
    if _RULE.fullmatch(text):
        return Line(RULE, text, widths=tuple(len(part) for part in re.split(r"[+|]", text)[1:] if part))
    if not text.startswith("|"):
        return Line(TEXT, text)
    closed = text.endswith("|") and len(text) > 1
    parts = text[1 : -1 if closed else None].split("|")
    return Line(ROW, text, tuple(part.strip() for part in parts), tuple(len(part) for part in parts), closed)


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
