"""hccn_tool: the network port that sits on an NPU itself. None where the tool does not say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from npu_agent.probe import host, table, values
from npu_agent.probe.blocks import entries, first_values
from npu_agent.probe.model import Number

NET_HEALTH_GOOD = "Success"
LINK_GOOD = "UP"
LINK_WORDS = ("UP", "DOWN", "PARTIAL LINK")

_PORT = re.compile(r"port (\d{1,3})")
_PORT_WORDS = ("UP", "DOWN", "PARTIAL UP")
_RECORD = re.compile(r"(?:\[devid \d+\])?\s*(\S.*?\d{4})\s+LINK (UP|DOWN)")
_NEW_RECORD = re.compile(r"\|[\d |]+\|\s*LINK_(UP|DOWN)\s*\|\s*(\S[^|]*?)\s*\|")
_MEASURE = re.compile(r"(-?\d{1,10}(?:\.\d{1,6})?) (?:mV|mW|mA|C|dB)", re.ASCII)
_FLAG = re.compile(r"0x[0-9A-Fa-f]{1,8}")
_GATEWAY = re.compile(r"(?:default )?gateway\s*:\s*([0-9.]+)(?:,\s*Iface\s*:\s*(\S+))?", re.IGNORECASE)
_NETDETECT = re.compile(r"net ?detect (?:ip )?(?:address)?\s*:\s*([0-9.]+)", re.IGNORECASE)
_TLS = re.compile(r"tls switch\[([01])\]")
_SPEED = re.compile(r"(\d{1,7})Mb/s")


@dataclass(frozen=True)
class HccnAddress:
    address: Optional[str] = None
    netmask: Optional[str] = None


@dataclass(frozen=True)
class LinkStat:
    """`-link_stat -g`: how often the link came up, and its last changes, the newest first."""

    up_count: Optional[int] = None
    down_count: Optional[int] = None
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Optical:
    """`-optical -g`: the module in the port. Lanes in order; a lane that the tool does not measure is None."""

    present: Optional[bool] = None
    vendor: Optional[str] = None
    serial_number: Optional[str] = None
    temperature_c: Optional[Number] = None
    vcc_mv: Optional[Number] = None
    tx_power_mw: tuple[Optional[Number], ...] = ()
    rx_power_mw: tuple[Optional[Number], ...] = ()
    media_snr_db: tuple[Optional[Number], ...] = ()
    tx_los: Optional[int] = None
    rx_los: Optional[int] = None


@dataclass(frozen=True)
class PortStatus:
    """`-status -g`: what the port's own ethtool says."""

    speed_mbps: Optional[int] = None
    link_detected: Optional[bool] = None


def parse_hccn_ip(text: str) -> HccnAddress:
    found = first_values(text)
    return HccnAddress(values.ipv4(found.get("ipaddr")), values.ipv4(found.get("netmask")))


def parse_hccn_link(text: str) -> Optional[str]:
    """Read `-link -g`: UP or DOWN, PARTIAL LINK where an NPU has several ports, None for anything else."""
    word = first_values(text).get("link status", "")
    return word if word in LINK_WORDS else None


def parse_hccn_ports(text: str) -> dict[int, str]:
    """Read the ports of the newest generation below the link status."""
    pairs = ((_PORT.fullmatch(entry.key), entry.value) for entry in entries(text))
    return {int(match.group(1)): word for match, word in pairs if match and word in _PORT_WORDS}


def parse_hccn_net_health(text: str) -> Optional[str]:
    """Read `-net_health -g`. Only NET_HEALTH_GOOD is proof; Init means that nothing was ever tried."""
    return first_values(text).get("net health status") or None


def parse_hccn_link_stat(text: str) -> LinkStat:
    found = first_values(text)
    changes = []
    for line in table.plain(text):
        old, new = _RECORD.fullmatch(line), _NEW_RECORD.fullmatch(line)
        if old:
            changes.append((old.group(1), old.group(2)))
        elif new:
            changes.append((new.group(2), new.group(1)))
    ups, downs = found.get("link up count", ""), found.get("link down count", "")
    return LinkStat(values.count(ups), values.count(downs), tuple(changes))


def parse_hccn_optical(text: str) -> Optical:
    found = first_values(text)
    present = {"present": True, "not present": False}.get(found.get("present", ""))
    return Optical(
        present=present,
        vendor=found.get("vendor name") or None,
        serial_number=found.get("vendor serial number") or None,
        temperature_c=_measure(found.get("temperature")),
        vcc_mv=_measure(found.get("vcc")),
        tx_power_mw=_lanes(found, "tx power"),
        rx_power_mw=_lanes(found, "rx power"),
        media_snr_db=_lanes(found, "media snr lane"),
        tx_los=_flag(found.get("tx los flag")),
        rx_los=_flag(found.get("rx los flag")),
    )


def _measure(text: Optional[str]) -> Optional[Number]:
    match = _MEASURE.fullmatch(text or "")
    return values.number(match.group(1), -1e9, 1e9) if match else None


def _lanes(found: dict[str, str], prefix: str) -> tuple[Optional[Number], ...]:
    lanes: list[Optional[Number]] = []
    while f"{prefix}{len(lanes)}" in found:
        lanes.append(_measure(found[f"{prefix}{len(lanes)}"]))
    return tuple(lanes)


def _flag(text: Optional[str]) -> Optional[int]:
    return int(text, 16) if text and _FLAG.fullmatch(text) else None


def parse_hccn_stat(text: str) -> dict[str, Optional[int]]:
    """Read the counters of `-stat -g`, None for one that is no number."""
    return {entry.key: values.count(entry.value) for entry in entries(text) if "_" in entry.key}


def parse_hccn_gateway(text: str) -> Optional[str]:
    match = _GATEWAY.search(text)
    return values.ipv4(match.group(1)) if match else None


def parse_hccn_netdetect(text: str) -> Optional[str]:
    """Read `-netdetect -g`: the address by which the net health is found; without one it stays Init."""
    match = _NETDETECT.search(text)
    return values.ipv4(match.group(1)) if match else None


def parse_hccn_tls(text: str) -> Optional[bool]:
    """Read `-tls -g`: whether TLS is switched on. Nodes of one job must agree."""
    match = _TLS.search(text)
    return match.group(1) == "1" if match else None


def parse_hccn_status(text: str) -> PortStatus:
    found = first_values(text)
    speed = _SPEED.fullmatch(found.get("speed", ""))
    detected = {"yes": True, "no": False}.get(found.get("link detected", ""))
    return PortStatus(int(speed.group(1)) if speed else None, detected)


def parse_hccn_conf(text: str) -> dict[int, HccnAddress]:
    """Read /etc/hccn.conf: what was configured per device, which need not be what is live."""
    pairs = host.parse_properties(text)
    devices = {int(key.rpartition("_")[2]) for key in pairs if re.fullmatch(r"address_\d{1,3}", key, re.ASCII)}
    return {
        number: HccnAddress(values.ipv4(pairs.get(f"address_{number}")), values.ipv4(pairs.get(f"netmask_{number}")))
        for number in sorted(devices)
    }
