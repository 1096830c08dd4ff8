"""Answers of `npu-smi info -l` and `npu-smi info -t <type>` for one card or chip."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Optional

from npu_agent.probe import values
from npu_agent.probe.blocks import entries, first_values
from npu_agent.probe.model import Number

_EVENT = re.compile(r"event id=0x([0-9A-Fa-f]{8}), severity=(\d)\b", re.ASCII)
_LIMIT = 1e9
_CODE = re.compile(r"(?:0x)?([0-9A-Fa-f]{8,9})")


@dataclass(frozen=True)
class HealthDetail:
    """`-t health`: the word and the codes behind it. `codes` is None where not known, () where there are none."""

    health: Optional[str] = None
    codes: Optional[tuple[str, ...]] = None
    information: tuple[str, ...] = ()


@dataclass(frozen=True)
class FaultEvent:
    """`severity` is the driver's: 0 none, 1 minor, 2 major, 3 critical."""

    code: str
    severity: int


@dataclass(frozen=True)
class Board:
    """`-t board` of a card or of a chip; each prints only some of these."""

    software_version: Optional[str] = None
    firmware_version: Optional[str] = None
    compatible: Optional[bool] = None
    chip_type: Optional[str] = None
    chip_name: Optional[str] = None
    chip_version: Optional[str] = None
    vdie_id: Optional[str] = None
    bus_id: Optional[str] = None
    serial_number: Optional[str] = None


@dataclass(frozen=True)
class CardList:
    """`-l`: how many cards the tool counts, and their ids."""

    total: Optional[int] = None
    cards: tuple[int, ...] = ()


def parse_health(text: str) -> HealthDetail:
    found = first_values(text)
    word = found.get("health status", found.get("health"))
    return HealthDetail(values.health_word(word or ""), _codes(found.get("error code")), _information(text))


def _codes(text: Optional[str]) -> Optional[tuple[str, ...]]:
    if text is None:
        return None
    words = [] if text in values.ABSENT else text.split()
    matches = [_CODE.fullmatch(word) for word in words]
    found = tuple(match.group(1).upper() for match in matches if match)
    return found if len(found) == len(words) else None


def _information(text: str) -> tuple[str, ...]:
    """Collect one sentence per code: those after the first stand on lines without a key."""
    found: list[str] = []
    inside = False
    for entry in entries(text):
        inside = entry.key.lower() == "error information" or (inside and not entry.key)
        if inside and entry.value not in values.ABSENT:
            found.append(entry.value)
    return tuple(found)


def parse_fault_events(text: str) -> list[FaultEvent]:
    """Read `-t current-fault-event` of the newest generation: the events that hold now."""
    found = (_EVENT.search(entry.value) for entry in entries(text))
    return [FaultEvent(match.group(1).upper(), int(match.group(2))) for match in found if match]


def parse_board(text: str) -> Board:
    found = {key: value for key, value in first_values(text).items() if value not in values.ABSENT}
    compatible = found.get("compatibility")
    return Board(
        software_version=values.version(found.get("software version", "")),
        firmware_version=values.version(found.get("firmware version", "")),
        compatible=None if compatible is None else compatible == "OK",
        chip_type=found.get("chip type"),
        chip_name=found.get("chip name"),
        chip_version=found.get("chip version"),
        vdie_id=found.get("vdie id"),
        bus_id=values.bus_id(found.get("pcie bus info", "")),
        serial_number=found.get("serial number"),
    )


def parse_list(text: str) -> CardList:
    total: Optional[int] = None
    cards = []
    for entry in entries(text):
        if entry.key in ("Total Count", "Card Count"):
            total = values.integer(entry.value)
        elif entry.key == "NPU ID" and values.integer(entry.value) is not None:
            cards.append(int(entry.value))
    return CardList(total, tuple(cards))


def parse_numbers(text: str) -> dict[str, Optional[Number]]:
    """Read `-t usages|ecc|err-count|common|memory|power|temp`: every key with its number, None where it is not one.

    The key keeps its unit, lower-cased: "hbm capacity(mb)".
    """
    return {key: _number(value) for key, value in first_values(text).items()}


def _number(text: str) -> Optional[Number]:
    counted = values.count(text)
    return values.number(text, -_LIMIT, _LIMIT) if counted is None else counted


def parse_proc_mem(text: str) -> list[dict[str, Any]]:
    """Read `-t proc-mem`: one process per line, the name cut to what the kernel keeps."""
    pattern = re.compile(r"Process id:(\d{1,9})\s+Process name:(.*?)\s*Process memory\(MB\):(\d{1,9})")
    return [
        {"pid": int(match.group(1)), "name": match.group(2) or None, "memory_mb": int(match.group(3))}
        for match in pattern.finditer(text)
    ]


def parse_tool_version(text: str) -> Optional[str]:
    """Read `npu-smi -v`."""
    return values.version(first_values(text).get("npu-smi version", ""))
