"""First reading of `npu-smi info`: which line plays which part, by headers and structure, never by column offsets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

from npu_agent.probe import table, values
from npu_agent.probe.cells import FIRST_ROW, fits, guess_second_labels, labels_of
from npu_agent.probe.table import Line

FIRST = "first"
SECOND = "second"
PROCESS = "process"
IDLE = "idle"
DAMAGED = "damaged"
STRAY = "stray"
BORDER = "border"

_TITLE = re.compile(r"npu-smi\s+(\S+)\s+Version:\s*(\S+)", re.IGNORECASE)
_IDLE = re.compile(r"No running processes found in NPU (\d{1,6})")
_TITLE_ROW = "title"
_START, _CHIPS, _LOST, _PROCESSES = range(4)


@dataclass(frozen=True)
class Part:
    kind: str
    line: Line


@dataclass
class Outline:
    """The headers and the parts of an answer in order. A header is None where it was not seen."""

    title: Optional[Line] = None
    first_header: Optional[Line] = None
    second_header: Optional[Line] = None
    process_header: Optional[Line] = None
    parts: list[Part] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    half_installed: bool = False
    several: bool = False

    def rows(self, *kinds: str) -> list[Line]:
        return [part.line for part in self.parts if part.kind in kinds]

    def closed_after(self, *kinds: str) -> bool:
        """Tell whether the last part of these kinds is followed by a double rule, as the tool ends a table."""
        last = max((index for index, part in enumerate(self.parts) if part.kind in kinds), default=None)
        if last is None or last + 1 >= len(self.parts):
            return False
        following = self.parts[last + 1]
        return following.kind == BORDER and following.line.double and self._is_whole(following.line)

    def _is_whole(self, rule: Line) -> bool:
        """Tell whether a rule is as long as another one of its text: a text that was cut may end inside of a rule."""
        others = [line for line in self.rows(BORDER) if line is not rule]
        return rule.text.endswith("+") and (not others or len(rule.text) in {len(line.text) for line in others})


def outline(text: str) -> Outline:
    reader = _Reader()
    for line in table.lines(text):
        reader.take(line)
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found = Outline()
        self._section = _START
        self._pending_text: list[str] = []

    def take(self, line: Line) -> None:
        if line.kind == table.TEXT:
            self._take_text(line)
            return
        self._text_was_inside()
        if line.kind == table.RULE:
            self._take_rule(line)
        elif not self._take_header(line):
            self._take_row(line)

    def _take_text(self, line: Line) -> None:
        if "driver package may not be completely installed" in line.text:
            self.found.half_installed = True
        elif self.found.parts:
            self._pending_text.append(line.text)

    def _text_was_inside(self) -> None:
        """Complain about text between table lines; before and after the table there may be prompts and messages."""
        for text in self._pending_text:
            self.found.problems.append(f"a line inside the table is not part of it: {text[:60]}")
            # What a process calls itself may hold a line feed; that throws no doubt on the chips above.
            kind = STRAY if self._section == _PROCESSES else DAMAGED
            self.found.parts.append(Part(kind, Line(table.TEXT, text)))
        self._pending_text.clear()

    def _take_rule(self, line: Line) -> None:
        parts = self.found.parts
        after_rule = bool(parts) and parts[-1].kind == BORDER and parts[-1].line.double
        if after_rule and self._section == _CHIPS and not line.double:
            self._section = _LOST
        parts.append(Part(BORDER, line))

    def _take_header(self, line: Line) -> bool:
        kind = _header_kind(line)
        if kind is None:
            return False
        if self._starts_anew(kind):
            self._begin_again()
        found = self.found
        if kind == _TITLE_ROW:
            found.title = line
        elif kind == PROCESS:
            found.process_header, self._section = line, _PROCESSES
        elif kind == SECOND:
            found.second_header, self._section = line, _CHIPS
        else:
            found.first_header, self._section = line, _CHIPS
        return True

    def _starts_anew(self, kind: str) -> bool:
        """Tell whether this header can only belong to another table than what came before."""
        found = self.found
        earlier = {
            _TITLE_ROW: (found.title, found.first_header, found.second_header, found.process_header),
            FIRST: (found.first_header, found.second_header, found.process_header),
            SECOND: (found.second_header, found.process_header),
        }.get(kind, ())
        if not any(earlier):
            return False
        if found.rows(FIRST, SECOND, PROCESS, IDLE):
            return True
        found.problems.append("a header is printed twice")
        return False

    def _begin_again(self) -> None:
        """Take the last of several tables in one text, as `watch` leaves them; what came before is no answer."""
        problem = "several tables follow one another; only the last one is read"
        half_installed = self.found.half_installed
        self.found = Outline(problems=[problem], half_installed=half_installed, several=True)
        self._section = _START

    def _take_row(self, line: Line) -> None:
        if self._section == _PROCESSES:
            self._add(IDLE if _IDLE.fullmatch(line.cells[0]) else PROCESS, line)
            return
        kind = chip_row_kind(
            line, self._cell_count(), _labels(self.found.first_header), _labels(self.found.second_header)
        )
        if self._section == _LOST and kind == DAMAGED:
            self.found.problems.append("a table without a header that could be read")
            return
        if self._section == _LOST:
            self._section = _CHIPS
            self.found.problems.append("rows are missing between two rules")
        if kind == DAMAGED:
            self.found.problems.append(f"a row could not be read: {line.text[:60]}")
        self._add(kind, line)

    def _add(self, kind: str, line: Line) -> None:
        self.found.parts.append(Part(kind, line))

    def _cell_count(self) -> Optional[int]:
        header = self.found.first_header or self.found.second_header
        return len(header.cells) if header else None


def _header_kind(line: Line) -> Optional[str]:
    """Name a header row. A process can call itself almost anything, so no single word makes a header."""
    cells = [re.sub(r"\s+", " ", cell).lower() for cell in line.cells]
    if len(cells) == 1 and _TITLE.match(line.cells[0]):
        return _TITLE_ROW
    if "process id" in cells[1:] and any(cell.startswith("process memory") for cell in cells):
        # A header that lost an end would give its rows' cells the wrong names.
        return PROCESS if line.closed and cells[0].startswith("npu") else None
    labels = set(labels_of(line.cells[-1]))
    if "bus-id" in cells and labels:
        return SECOND
    return FIRST if "health" in cells and cells[0].startswith("npu") and labels else None


def _labels(header: Optional[Line]) -> tuple[str, ...]:
    return labels_of(header.cells[-1]) if header else ()


def chip_row_kind(
    line: Line, cell_count: Optional[int], first_labels: Sequence[str] = (), second_labels: Sequence[str] = ()
) -> str:
    """Tell a chip's first row (name, health, power) from its second (bus, usages); a card's rows come in this order."""
    cells = line.cells
    if len(cells) not in ((cell_count,) if cell_count else (3, 4)):
        return DAMAGED
    status, head = cells[-2], "".join(cells[:-2])
    named = any(letter.isalpha() for letter in head)
    first = (values.health_word(status) is not None) + named + fits(cells[-1], first_labels or FIRST_ROW)
    second = _bus_like(status) + fits(cells[-1], second_labels or guess_second_labels(cells))
    if first > second:
        return FIRST if first > 1 and cells[0][:1].isdigit() else DAMAGED
    # Without any header a row must look right in every way.
    return SECOND if second > first and (cell_count or second > 1) else DAMAGED


def _bus_like(text: str) -> bool:
    """Accept an address, the zeros that stand for none, and NA of boards without a bus."""
    return text == "NA" or re.fullmatch(r"[0-9A-Fa-f:.]{9,}", text) is not None


def title_versions(line: Optional[Line], reference: tuple[int, ...]) -> tuple[Optional[str], Optional[str]]:
    """Return the tool's and the driver's version; a title that is shorter than its rule lost characters."""
    match = _TITLE.match(line.cells[0]) if line else None
    if line is None or match is None or not line.closed or (reference and len(line.text) not in reference):
        return None, None
    return values.version(match.group(1)), values.version(match.group(2))


def idle_npu(line: Line) -> int:
    match = _IDLE.fullmatch(line.cells[0])
    assert match is not None
    return int(match.group(1))
