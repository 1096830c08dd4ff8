"""The values inside one cell of `npu-smi info`, named by the labels of the header above it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from npu_agent.probe import values

Note = Callable[[str], None]


@dataclass(frozen=True)
class Label:
    """What one header label means: a number within limits, or a `used / total` pair."""

    fields: tuple[str, ...]
    low: float = 0
    high: float = 0


_PAIR = re.compile(r"(?<!\S)(0|[1-9]\d{0,8})\s*/\s*(0|[1-9]\d{0,8})(?!\S)|(\S+)", re.ASCII)
_LABEL = re.compile(r"[A-Za-z][\w-]*(?: [\w-]+)* ?\([^()]*\)")
_KNOWN = {
    "power(w)": Label(("power_w",), 0, 10000),
    "temp(c)": Label(("temperature_c",), -60, 250),
    "hugepages-usage(page)": Label(("hugepages_used", "hugepages_total")),
    "aicore(%)": Label(("aicore_percent",), 0, 100),
    "npu util(%)": Label(("npu_util_percent",), 0, 100),
    "memory-usage(mb)": Label(("memory_used_mb", "memory_total_mb")),
    "hbm-usage(mb)": Label(("hbm_used_mb", "hbm_total_mb")),
}
_UNKNOWN = Label(())
FIRST_ROW = ("power(w)", "temp(c)", "hugepages-usage(page)")


def labels_of(header_cell: str) -> tuple[str, ...]:
    return tuple(match.group().lower() for match in _LABEL.finditer(header_cell))


def read_values(cell: str, labels: tuple[str, ...], note: Note) -> dict[str, Any]:
    """Pair the cell's items with the labels by order; where their numbers differ, nothing in the cell is known."""
    items = list(_PAIR.finditer(cell))
    if len(items) != len(labels):
        note(f"{len(items)} values under {len(labels)} labels: {cell[:60]}")
        return {}
    found: dict[str, Any] = {}
    for text, item in zip(labels, items):
        found.update(_read_item(_KNOWN.get(text, _UNKNOWN), item, note))
    return found


def _read_item(label: Label, item: re.Match[str], note: Note) -> dict[str, Any]:
    if not label.fields:
        return {}
    if len(label.fields) == 2:
        used, total = item.group(1), item.group(2)
        if used is None or int(used) > int(total):
            note(f"not a pair of used and total: {item.group()}")
            return {}
        return dict(zip(label.fields, (int(used), int(total))))
    return {label.fields[0]: _scalar(label, item, note)}


def _scalar(label: Label, item: re.Match[str], note: Note) -> Any:
    text = item.group(3)
    if text in values.ABSENT:
        return None
    value = values.number(text, label.low, label.high) if text else None
    if value is None:
        note(f"not a value of {label.fields[0]}: {item.group()}")
    return value


def fits(cell: str, labels: Sequence[str]) -> bool:
    """Tell whether a cell's items can stand under these labels: as many, and pairs where pairs are due."""
    items = list(_PAIR.finditer(cell))
    wanted = [_KNOWN.get(text, _UNKNOWN).fields for text in labels]
    return len(items) == len(labels) and all(
        not fields or (len(fields) == 2) == (item.group(1) is not None) for item, fields in zip(items, wanted)
    )


def shape(cell: str) -> tuple[int, int]:
    """Count the single values and the pairs of a cell."""
    pairs = [item.group(1) is not None for item in _PAIR.finditer(cell)]
    return pairs.count(False), pairs.count(True)


def guess_second_labels(row: Sequence[str]) -> tuple[str, ...]:
    """Name the values of a second row whose header was cut off: one pair is memory, two are memory and HBM."""
    usage = "npu util(%)" if len(row) == 4 else "aicore(%)"
    return (usage, "memory-usage(mb)", "hbm-usage(mb)")[: 1 + shape(row[-1])[1]]
