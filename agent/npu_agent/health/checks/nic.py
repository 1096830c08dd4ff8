"""nic: the interface that carries the traffic to the peers is there and up, and the node has its address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from npu_agent import api
from npu_agent.facts import READ_LIMIT, NodePaths
from npu_agent.health.check import Context, register
from npu_agent.health.verdict import Verdict


@register
class Nic:
    name = "nic"

    def run(self, context: Context) -> Iterable[Verdict]:
        nic = context.snapshot.facts.nic
        interface = nic.get("interface") if nic else None
        if not nic or not isinstance(interface, str) or "/" in interface:
            reason = "no interface for the traffic to the peers was recorded on this node"
            return [Verdict(self.name, api.DEGRADED, reason, "fix-configuration")]
        return [_judge(interface, nic, context.paths)]


def _judge(interface: str, nic: Mapping[str, Any], paths: NodePaths) -> Verdict:
    folder = f"/sys/class/net/{interface}"
    state = _line(paths, f"{folder}/operstate")
    if state is None:
        return Verdict(Nic.name, api.UNHEALTHY, f"interface {interface} does not exist", "fix-configuration")
    # A bridge or tunnel that works may call its state unknown.
    if state not in ("up", "unknown"):
        return Verdict(Nic.name, api.UNHEALTHY, f"interface {interface} is {state}", "fix-configuration")
    address = nic.get("address")
    if isinstance(address, str) and not _has_address(paths, address):
        reason = f"the node no longer has the address {address} that its peers know {interface} by"
        return Verdict(Nic.name, api.UNHEALTHY, reason, "fix-configuration")
    wanted_mtu, mtu = nic.get("mtu"), _line(paths, f"{folder}/mtu")
    if wanted_mtu and mtu and mtu != str(wanted_mtu):
        reason = f"interface {interface} has MTU {mtu}, it was prepared with {wanted_mtu}"
        return Verdict(Nic.name, api.DEGRADED, reason, "fix-configuration")
    return Verdict(Nic.name, api.HEALTHY)


def _has_address(paths: NodePaths, address: str) -> bool:
    """Ask the kernel's table of its own addresses; one that is cut short or not there says nothing."""
    table = paths.read("/proc/net/fib_trie")
    if table is None or len(table) >= READ_LIMIT:
        return True
    return re.search(rf"\|-- {re.escape(address)}\n\s+/32 host LOCAL", table) is not None


def _line(paths: NodePaths, path: str) -> Optional[str]:
    text = paths.read(path)
    return text.strip() if text is not None else None
