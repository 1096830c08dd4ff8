"""`key : value` outputs, such as those of `npu-smi info -t ...` and hccn_tool."""

from __future__ import annotations

import re
from dataclasses import dataclass

from npu_agent.probe import table

_PREFIX = re.compile(r"\[devid \d+\]")


@dataclass(frozen=True)
class Entry:
    """One line; a continuation line has an empty key."""

    key: str
    value: str


def entries(text: str) -> list[Entry]:
    """Split each line on its first colon; lines without one say nothing here."""
    found = []
    for raw in table.plain(text):
        line = _PREFIX.sub("", raw, count=1).strip()
        key, colon, value = line.partition(":")
        if colon:
            found.append(Entry(key.strip(), value.strip()))
    return found


def first_values(text: str) -> dict[str, str]:
    """Map lower-cased keys to values. The first wins: a second block is the MCU's and must not shadow the chip's."""
    values: dict[str, str] = {}
    for entry in _chip_entries(text):
        if entry.key:
            values.setdefault(entry.key.lower(), entry.value)
    return values


def _chip_entries(text: str) -> list[Entry]:
    found = []
    for entry in entries(text):
        if entry.key.lower() == "chip name" and entry.value.lower() == "mcu":
            break
        if entry.key.lower() == "mcu":
            break
        found.append(entry)
    return found
