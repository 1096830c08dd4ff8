"""npu-network/<n>: the NPU's own port, by which it talks to NPUs of other nodes."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent import api
from npu_agent.health.check import Context, ageing, register
from npu_agent.health.npu import trouble_action
from npu_agent.health.rules import Judgement, Rules
from npu_agent.health.verdict import Verdict
from npu_agent.probe import hccn
from npu_agent.snapshot import Port

LINK_DOWN = "link-down"
_LOOK = "look at the optical module, the cable and the switch port"
_STALE_INTERVALS = 3
_STALE_S = 180.0


@register
@ageing
class NpuNetwork:
    """An NPU whose port never told of a link has none of these: not every chip has a port.

    Until it was asked, nobody knows.
    """

    name = "npu-network"

    def __init__(self) -> None:
        self._told: set[int] = set()

    def run(self, context: Context) -> Iterable[Verdict]:
        snapshot = context.snapshot
        self._told |= {npu for npu, port in snapshot.network.items() if port.link is not None}
        found = [_judge(npu, snapshot.network[npu], context) for npu in sorted(self._told & set(snapshot.network))]
        if snapshot.facts.hccn_tool is None:
            return found
        return [*found, *(_not_asked(npu) for npu in snapshot.npus if _awaited(npu, context))]


def _awaited(npu: int, context: Context) -> bool:
    port = context.snapshot.network.get(npu)
    return npu in context.snapshot.sightings and (port is None or "link" not in port.taken_at)


def _not_asked(npu: int) -> Verdict:
    return Verdict(f"{NpuNetwork.name}/{npu}", api.UNKNOWN, "its network port has not been asked yet")


def _judge(npu: int, port: Port, context: Context) -> Verdict:
    name, by = f"{NpuNetwork.name}/{npu}", context.rules
    age_s = context.snapshot.now - port.taken_at.get("link", 0.0)
    if age_s > max(_STALE_S, _STALE_INTERVALS * context.slow_interval_s):
        reason = f"hccn_tool last told of its port {age_s:.0f} s ago"
        return Verdict(name, api.UNKNOWN, reason, trouble_action(context.snapshot))
    if port.link is None:
        return Verdict(name, api.UNKNOWN, "hccn_tool no longer tells whether its port has a link", "check-driver")
    if port.link == "DOWN":
        reason = f"its network port has no link: {_LOOK}"
        return Verdict(name, by.link_down.state, reason, by.link_down.action, marks=(LINK_DOWN,))
    if port.link != hccn.LINK_GOOD:
        reason = f"its network port says {port.link}: {_LOOK}"
        return Verdict(name, api.DEGRADED, reason, "fix-configuration", marks=(f"link {port.link}",))
    return _by_health(name, port, by)


def _by_health(name: str, port: Port, by: Rules) -> Verdict:
    """A port that has a link, by the driver's own check of the way to its detect address."""
    if port.net_health is None:
        return Verdict(name, api.HEALTHY)
    known = by.net_health.get(port.net_health)
    judged = known or by.net_health.get("default") or Judgement(api.DEGRADED, "fix-configuration")
    if judged.state == api.HEALTHY:
        return Verdict(name, api.HEALTHY)
    reason = f"hccn_tool's check of its network says {port.net_health}: {_LOOK}, and the detect address"
    return Verdict(name, judged.state, reason, judged.action, marks=(f"net-health {port.net_health}",))
