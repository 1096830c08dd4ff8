"""nic: the interface that carries the traffic to the peers is there and up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

from npu_agent import api
from npu_agent.facts import NodePaths
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
        return [_judge(interface, nic.get("mtu"), context.paths)]


def _judge(interface: str, wanted_mtu: Any, paths: NodePaths) -> Verdict:
    folder = f"/sys/class/net/{interface}"
    state = _line(paths, f"{folder}/operstate")
    if state is None:
        return Verdict(Nic.name, api.UNHEALTHY, f"interface {interface} does not exist", "fix-configuration")
    # A bridge or tunnel that works may call its state unknown.
    if state not in ("up", "unknown"):
        return Verdict(Nic.name, api.UNHEALTHY, f"interface {interface} is {state}", "fix-configuration")
    mtu = _line(paths, f"{folder}/mtu")
    if wanted_mtu and mtu and mtu != str(wanted_mtu):
        reason = f"interface {interface} has MTU {mtu}, it was prepared with {wanted_mtu}"
        return Verdict(Nic.name, api.DEGRADED, reason, "fix-configuration")
    return Verdict(Nic.name, api.HEALTHY)


def _line(paths: NodePaths, path: str) -> Optional[str]:
    text = paths.read(path)
    return text.strip() if text is not None else None
