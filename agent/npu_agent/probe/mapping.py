"""`npu-smi info -m`: from npu-smi's (card, chip) to the physical id N of /dev/davinciN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from npu_agent.probe import table, values

_LABELS = ("NPU ID", "Slot ID", "Chip ID", "Chip Logic ID", "Chip Phy-ID", "Chip Name")


@dataclass(frozen=True)
class MapRow:
    """One chip of a card; a management controller has neither a logic nor a physical id."""

    card: int
    chip: Optional[int]
    logic: Optional[int]
    phy: Optional[int]
    name: Optional[str]

    @property
    def npu(self) -> Optional[int]:
        """The physical id; on the host the logic id is the same number, and older tools print only that."""
        return self.logic if self.phy is None else self.phy


@dataclass(frozen=True)
class Mapping:
    rows: tuple[MapRow, ...] = ()
    problems: tuple[str, ...] = ()

    def npu_of(self, card: Optional[int], chip: Optional[int]) -> Optional[int]:
        """Return the physical id, or None where the table does not say it beyond doubt."""
        found = {row.npu for row in self.rows if row.card == card and row.npu is not None and chip in (None, row.chip)}
        npu = found.pop() if len(found) == 1 else None
        owners = {(row.card, row.chip) for row in self.rows if row.npu == npu}
        return npu if len(owners) == 1 else None

    def find(self, npu: int) -> Optional[MapRow]:
        rows = [row for row in self.rows if row.npu == npu]
        return rows[0] if len(rows) == 1 else None


def parse_mapping(text: str) -> Mapping:
    labels: tuple[str, ...] = ()
    rows: list[MapRow] = []
    problems: list[str] = []
    for line in filter(None, (raw.strip() for raw in table.raw_lines(text))):
        header = _header(line)
        if header:
            labels = header
        elif labels and (line[0].isdigit() or rows):
            row = _row(labels, line)
            rows += [row] if row else []
            problems += [] if row else [f"mapping row not understood: {line[:80]}"]
    if not labels:
        problems.append("npu-smi info -m printed no mapping table")
    return Mapping(tuple(rows), tuple(problems))


def _header(line: str) -> tuple[str, ...]:
    found = tuple(part for part in re.split(r"\s{2,}|\t", line) if part)
    return found if "NPU ID" in found and "Chip Name" in found and all(label in _LABELS for label in found) else ()


def _row(labels: tuple[str, ...], line: str) -> Optional[MapRow]:
    """Every column but the name is one word; the name is last and may hold a space."""
    words = line.split(None, len(labels) - 1)
    cells = dict(zip(labels, words))
    ids = {label: values.integer(cells[label]) for label in labels[:-1] if label in cells}
    damaged = any(ids[label] is None and cells[label] not in values.ABSENT for label in ids)
    card = ids.get("NPU ID")
    if len(words) != len(labels) or damaged or card is None:
        return None
    return MapRow(card, ids.get("Chip ID"), ids.get("Chip Logic ID"), ids.get("Chip Phy-ID"), cells["Chip Name"])
