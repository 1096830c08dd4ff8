"""Files and tools beside npu-smi: version.info, ascend_install.info, lspci, hccn_tool."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from npu_agent.probe.blocks import first_values

_RANGE = re.compile(r"\[([^\[\],]+)(?:,([^\[\],]+))?\]")
_LSPCI = re.compile(
    r"^([0-9a-f]{2,8}:\S+) .*(?:accelerators|\[?1200\]?).*\b(d[0-9a-f]{3})\b.*?(?:\(rev ([0-9a-f]{2})\))?$"
)
NET_HEALTH_GOOD = "Success"


@dataclass(frozen=True)
class PciDevice:
    """An accelerator as lspci lists it; a dead one answers with revision ff."""

    address: str
    device: str
    dead: bool


def parse_properties(text: str) -> dict[str, str]:
    """Read `key=value` lines, as in version.info and ascend_install.info."""
    pairs = (line.strip().partition("=") for line in text.splitlines())
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
    for line in text.splitlines():
        match = _LSPCI.match(line.strip())
        if match:
            found.append(PciDevice(match.group(1), match.group(2), match.group(3) == "ff"))
    return found


@dataclass(frozen=True)
class HccnAddress:
    address: Optional[str] = None
    netmask: Optional[str] = None


def parse_hccn_ip(text: str) -> HccnAddress:
    found = first_values(text)
    return HccnAddress(_ipv4(found.get("ipaddr")), _ipv4(found.get("netmask")))


def _ipv4(text: Optional[str]) -> Optional[str]:
    parts = (text or "").split(".")
    return text if len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts) else None


def parse_hccn_link(text: str) -> Optional[str]:
    """Read `-link -g`: UP or DOWN, None where it says neither."""
    word = first_values(text).get("link status", "")
    return word if word in ("UP", "DOWN") else None


def parse_hccn_net_health(text: str) -> Optional[str]:
    """Read `-net_health -g`. Only NET_HEALTH_GOOD is proof; Init means that nothing was ever tried."""
    return first_values(text).get("net health status") or None


def parse_hccn_conf(text: str) -> dict[int, HccnAddress]:
    """Read /etc/hccn.conf: what was configured per device, which need not be what is live."""
    pairs = parse_properties(text)
    devices = {int(key.rpartition("_")[2]) for key in pairs if re.fullmatch(r"address_\d{1,3}", key)}
    return {n: HccnAddress(_ipv4(pairs[f"address_{n}"]), _ipv4(pairs.get(f"netmask_{n}"))) for n in sorted(devices)}
