"""Files and tools beside npu-smi: version.info, ascend_install.info, lspci."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from npu_agent.probe import table

_RANGE = re.compile(r"\[([^\[\],]+)(?:,([^\[\],]+))?\]")
_LSPCI = re.compile(
    r"^([0-9a-f]{2,8}:\S+) .*(?:accelerators|\[?1200\]?).*\b(d[0-9a-f]{3})\b.*?(?:\(rev ([0-9a-f]{2})\))?$"
)


@dataclass(frozen=True)
class PciDevice:
    """An accelerator as lspci lists it; a dead one answers with revision ff."""

    address: str
    device: str
    dead: bool


def parse_properties(text: str) -> dict[str, str]:
    """Read `key=value` lines, as in version.info and ascend_install.info."""
    pairs = (line.strip().partition("=") for line in table.plain(text))
    return {key.strip(): value.strip() for key, equals, value in pairs if equals and key.strip()}


def parse_ranges(text: str) -> list[tuple[str, str]]:
    """Read `[7.0.0,7.1.99],[V100]` as lower and upper bounds."""
    return [(match.group(1), match.group(2) or match.group(1)) for match in _RANGE.finditer(text)]


def version_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Order versions as people do: 23.0.rc3 comes before 23.0.0, and 7.1.9 before 7.1.10."""
    parts = re.findall(r"\d+|[A-Za-z]+", text)
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part.lower()) for part in parts)


def in_ranges(version: str, ranges: list[tuple[str, str]]) -> bool:
    """Tell whether a version lies in one of the ranges; what lies below an upper bound's last digit counts as in."""
    key = version_key(version)
    return any(
        version_key(low) <= key and (key <= version_key(high) or key[: len(version_key(high))] == version_key(high))
        for low, high in ranges
    )


def firmware_fits(driver: Mapping[str, str], firmware_version: Optional[str]) -> Optional[bool]:
    """Judge the firmware by the range in the driver's version.info; None where one of them is not known.

    The firmware's own `compatible_version_drv` is not used: real machines that work lie outside of it.
    """
    ranges = parse_ranges(driver.get("compatible_version_fw", ""))
    if not ranges or not firmware_version:
        return None
    return in_ranges(firmware_version, ranges)


def parse_lspci(text: str) -> list[PciDevice]:
    """List the accelerators that lspci names by number."""
    found = []
    for line in table.plain(text):
        match = _LSPCI.match(line.strip())
        if match:
            found.append(PciDevice(match.group(1), match.group(2), match.group(3) == "ff"))
    return found
