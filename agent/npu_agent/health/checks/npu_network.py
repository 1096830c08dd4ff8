"""npu-network/<n>: the NPU's own port, by which it talks to NPUs of other nodes."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent import api
from npu_agent.health.check import Context, ageing, register
from npu_agent.health.npu import trouble_action
from npu_agent.health.rules import Judgement, Rules
from npu_agent.health.verdict import Verdict
from npu_agent.snapshot import Network, Snapshot

LINK_DOWN = "link-down"
_LOOK = "look at the optical module, the cable and the switch port"


@register
@ageing
class NpuNetwork:
    """Only NPUs whose port was ever asked for have one: not every chip does."""

    name = "npu-network"

    def run(self, context: Context) -> Iterable[Verdict]:
        snapshot = context.snapshot
        return [_judge(npu, port, snapshot, context.rules) for npu, port in sorted(snapshot.network.items())]


def _judge(npu: int, port: Network, snapshot: Snapshot, by: Rules) -> Verdict:
    name = f"{NpuNetwork.name}/{npu}"
    age_s = snapshot.now - port.seen_at
    if age_s > snapshot.network_stale_after_s:
        return Verdict(
            name, api.UNKNOWN, f"hccn_tool last told of its port {age_s:.0f} s ago", trouble_action(snapshot)
        )
    if port.link is None:
        return Verdict(name, api.UNKNOWN, "hccn_tool does not tell whether its port has a link", "check-driver")
    if port.link != "UP":
        reason = f"its network port has no link ({port.link}): {_LOOK}"
        return Verdict(name, by.link_down.state, reason, by.link_down.action, marks=(LINK_DOWN,))
    if port.net_health is None:
        return Verdict(name, api.HEALTHY)
    known = by.net_health.get(port.net_health)
    judged = known or by.net_health.get("default") or Judgement(api.DEGRADED, "fix-configuration")
    if judged.state == api.HEALTHY:
        return Verdict(name, api.HEALTHY)
    reason = f"hccn_tool's check of its network says {port.net_health}: {_LOOK}, and the detect address"
    return Verdict(name, judged.state, reason, judged.action, marks=(f"net-health {port.net_health}",))
