"""`npu-smi info`: the chip table and the process table of every chip family, as far as the text can be trusted."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import Any, Optional

from npu_agent.probe import cells, outline, values
from npu_agent.probe.model import Chip, InfoTable, Process
from npu_agent.probe.outline import DAMAGED, FIRST, IDLE, PROCESS, SECOND, Outline
from npu_agent.probe.table import Line, WidthCheck, with_free_cell

_MAX_PROBLEMS = 20
_MEASURED = (
    "power_w",
    "temperature_c",
    "bus_id",
    "aicore_percent",
    "npu_util_percent",
    "memory_used_mb",
    "memory_total_mb",
    "hbm_used_mb",
    "hbm_total_mb",
    "hugepages_used",
    "hugepages_total",
)


def parse_info(text: str) -> InfoTable:
    """Read an answer of `npu-smi info`. Nothing in the text can make this raise."""
    found = outline.outline(text)
    problems = found.problems
    reader = _ChipReader(found)
    chips = reader.read()
    processes, idle = _read_processes(found)
    border = tuple(len(line.text) for line in found.rows(outline.BORDER))
    tool_version, driver_version = outline.title_versions(found.title, border)
    chips_complete = reader.whole and _chips_complete(found)
    processes_complete = _processes_complete(found, chips, processes, idle)
    return InfoTable(
        tool_version=tool_version,
        driver_version=driver_version,
        chips=tuple(chips),
        processes=tuple(processes),
        idle_npus=tuple(idle),
        problems=tuple(problems[:_MAX_PROBLEMS]),
        chips_complete=chips_complete,
        processes_complete=processes_complete,
        process_table=found.process_header is not None,
        half_installed=found.half_installed,
    )


def _reference(header: Optional[Line], found: Outline) -> list[Line]:
    return [header] if header else found.rows(outline.BORDER)


class _ChipReader:
    """Puts the two rows of a chip together. Whatever stands alone keeps what it says and leaves the rest unknown."""

    def __init__(self, found: Outline) -> None:
        self._found = found
        self._widths = {
            FIRST: WidthCheck(_reference(found.first_header, found), found.rows(FIRST)),
            SECOND: WidthCheck(_reference(found.second_header, found), found.rows(SECOND)),
        }
        self._chips: list[Chip] = []
        self._first: Optional[dict[str, Any]] = None
        # Whether every chip could be named; one that could not may be any of those that seem to be missing.
        self.whole = True

    def read(self) -> list[Chip]:
        for part in self._found.parts:
            if part.kind == FIRST:
                self._flush()
                self._first = self._read_first(part.line)
            elif part.kind == SECOND:
                self._pair(self._read_second(part.line))
            elif part.kind in (DAMAGED, outline.BORDER):
                self._flush()
        self._flush()
        found = [self._judged(chip) for chip in self._chips]
        kept = _without_doubles(found, self._note)
        self.whole = self.whole and len(kept) == len(found)
        return kept

    def _note(self, problem: str) -> None:
        self._found.problems.append(problem)

    def _flush(self) -> None:
        if self._first is not None:
            self._note(f"NPU {self._first.get('npu_id')}: the second row is missing")
            self.whole = False
            self._chips.append(Chip(**self._first))
            self._first = None

    def _pair(self, second: dict[str, Any]) -> None:
        if self._first is None:
            self._note("a chip's second row stands without its first")
            self.whole = False
        self._chips.append(Chip(**(self._first or {}), **second))
        self._first = None

    def _read_first(self, line: Line) -> dict[str, Any]:
        owner, name = _owner_and_name(line)
        intact = [self._widths[FIRST].intact(line, cell) for cell in range(len(line.cells))]
        head_intact = all(intact[:-2])
        health = values.health_word(line.cells[-2])
        found: dict[str, Any] = {
            "npu_id": values.integer(owner) if head_intact else None,
            "name": values.name(name) if head_intact else None,
            "health": health,
        }
        if found["npu_id"] is None or health is None or (name and found["name"] is None):
            self._note(f"a chip's first row is damaged: {line.text[:60]}")
            self.whole = self.whole and found["npu_id"] is not None
        labels = self._labels(self._found.first_header) or self._guessed(line, cells.FIRST_ROW)
        found.update(self._values(line, intact[-1], labels))
        return found

    def _read_second(self, line: Line) -> dict[str, Any]:
        intact = [self._widths[SECOND].intact(line, cell) for cell in range(len(line.cells))]
        found = self._chip_ids(line, intact[0])
        status = line.cells[-2]
        found["bus_id"] = values.bus_id(status)
        if found["bus_id"] is None and status not in values.ABSENT:
            self._note(f"not a bus id: {status[:20]}")
        labels = self._labels(self._found.second_header) or self._guessed(line, cells.guess_second_labels(line.cells))
        found.update(self._values(line, intact[-1], labels))
        return found

    def _labels(self, header: Optional[Line]) -> tuple[str, ...]:
        return cells.labels_of(header.cells[-1]) if header else ()

    def _guessed(self, line: Line, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Name the values of a row whose header was cut off, as every version so far does; () where they do not fit."""
        head = "".join(line.cells[:-2])  # empty in the newest layout alone, and there it is two cells
        known = bool(head) or len(line.cells) == 4
        return labels if known and cells.fits(line.cells[-1], labels) and not self._found.several else ()

    def _values(self, line: Line, intact: bool, labels: tuple[str, ...]) -> dict[str, Any]:
        if not intact:
            self._note(f"a cell lost or gained characters: {line.text[:100]}")
            return {}
        return cells.read_values(line.cells[-1], labels, self._note)

    def _chip_ids(self, line: Line, intact: bool) -> dict[str, Any]:
        """Read the second row's own ids; the newest layout (four cells) leaves them out."""
        words = line.cells[0].split()
        if len(line.cells) == 4 and not words:
            return {}
        header = self._found.second_header
        names = [label.lower() for label in header.cells[0].split()] if header else ["chip", "?"][: len(words)]
        numbers = [values.integer(word) for word in words]
        if not intact or None in numbers or len(words) != len(names) or "chip" not in names:
            self._note(f"not the ids of a chip: {line.cells[0][:30]}")
            self.whole = False
            return {}
        by_name = dict(zip(names, numbers))
        return {"chip_id": by_name.get("chip"), "phy_id": by_name.get("phy-id"), "device": by_name.get("device")}

    def _judged(self, chip: Chip) -> Chip:
        """Apply what is known of npu-smi: it prints OK and zeros for a chip that it could not ask."""
        totals = [total for total in (chip.memory_total_mb, chip.hbm_total_mb) if total is not None]
        if chip.temperature_c == 0 and not chip.power_w and totals and not any(totals):
            self._note(
                f"NPU {chip.npu_id} chip {chip.chip_id}: npu-smi printed only zeros, so it did not read the chip"
            )
            unknown: dict[str, Any] = dict.fromkeys(_MEASURED)
            health = None if chip.health == "OK" else chip.health
            return dataclasses.replace(chip, **{**unknown, "bus_id": chip.bus_id, "health": health, "readable": False})
        if chip.hbm_total_mb == 0:
            self._note(f"NPU {chip.npu_id} chip {chip.chip_id}: npu-smi printed no HBM, so it could not ask for it")
            return dataclasses.replace(chip, hbm_used_mb=None, hbm_total_mb=None)
        return chip


def _owner_and_name(line: Line) -> tuple[str, str]:
    if len(line.cells) == 4:
        return line.cells[0], line.cells[1]
    owner, _, name = line.cells[0].partition(" ")
    return owner, name.strip()


def _without_doubles(chips: list[Chip], note: cells.Note) -> list[Chip]:
    """Two chips with the same ids: one of them is another chip, and nobody can tell which."""
    times = Counter((chip.npu_id, chip.chip_id) for chip in chips if chip.npu_id is not None)
    phys = Counter(chip.phy_id for chip in chips if chip.phy_id is not None)
    kept: dict[Any, Chip] = {}
    for index, chip in enumerate(chips):
        key: Any = (chip.npu_id, chip.chip_id)
        if times[key] > 1 or (chip.phy_id is not None and phys[chip.phy_id] > 1):
            note(f"NPU {chip.npu_id} chip {chip.chip_id} is listed twice or shares its physical id")
            kept[key] = Chip(npu_id=chip.npu_id, chip_id=chip.chip_id, readable=False)
        else:
            kept[key if chip.npu_id is not None else index] = chip
    return list(kept.values())


def _read_processes(found: Outline) -> tuple[list[Process], list[int]]:
    header = found.process_header
    rows, idle_rows = found.rows(PROCESS), found.rows(IDLE)
    if header is None:
        return [], []
    names = [re.sub(r"\s+", " ", cell).lower() for cell in header.cells]
    if "process name" in names:
        rows = [with_free_cell(row, len(names), names.index("process name")) for row in rows]
    widths = WidthCheck([header], rows)
    processes = [_read_process(names, widths, row, found.problems) for row in rows]
    borders = {len(line.text) for line in found.rows(outline.BORDER)} | {len(header.text)}
    whole = [row for row in idle_rows if row.closed and len(row.text) in borders]
    found.problems += ["an idle line was cut"] * (len(idle_rows) - len(whole))
    return [process for process in processes if process], [outline.idle_npu(row) for row in whole]


def _read_process(names: list[str], widths: WidthCheck, row: Line, problems: list[str]) -> Optional[Process]:
    if len(row.cells) != len(names):
        problems.append(f"a process row could not be read: {row.text[:60]}")
        return None
    cell = {name: text if widths.intact(row, i) else "" for i, (name, text) in enumerate(zip(names, row.cells))}
    owner = [values.integer(word) for word in cell[names[0]].split()]
    fits = len(owner) == len(names[0].replace(" id", "").split()) and None not in owner
    process = Process(
        npu_id=owner[0] if fits else None,
        chip_id=owner[1] if fits and len(owner) > 1 else None,
        pid=values.integer(cell.get("process id", "")),
        name=_process_name(cell.get("process name", "")),
        memory_mb=values.integer(cell.get("process memory(mb)", "")),
    )
    if None in (process.npu_id, process.pid, process.memory_mb):
        problems.append(f"a process row is damaged: {row.text[:60]}")
    return process


def _process_name(text: str) -> Optional[str]:
    """The kernel's names may hold a space, but a gap in one is damage; empty where npu-smi could not read it."""
    return None if not text or "  " in text else text


def _chips_complete(found: Outline) -> bool:
    """Tell whether the whole chip table arrived. HBM chips always print a process table after it."""
    headers = found.first_header is not None and found.second_header is not None
    hbm = found.second_header is not None and "hbm-usage" in found.second_header.cells[-1].lower()
    ended = found.closed_after(FIRST, SECOND) and (found.process_header is not None or not hbm)
    return headers and ended and not found.several and not found.rows(DAMAGED)


def _processes_complete(found: Outline, chips: list[Chip], processes: list[Process], idle: list[int]) -> bool:
    """Tell whether every card of the chip table has a process row or says that it is idle, and none says both."""
    if found.process_header is None or found.several or not found.closed_after(PROCESS, IDLE, outline.STRAY):
        return False
    busy = {process.npu_id for process in processes}
    cards = {chip.npu_id for chip in chips}
    if busy & set(idle):
        found.problems.append("the process table calls an NPU idle and busy")
    return not busy & set(idle) and busy | set(idle) == cards and None not in cards
