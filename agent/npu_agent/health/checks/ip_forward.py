"""ip-forward: containers on the bridge reach nothing without it."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent import api
from npu_agent.health.check import Context, register
from npu_agent.health.verdict import Verdict

_LIVE_VALUE = "/proc/sys/net/ipv4/ip_forward"


@register
class IpForward:
    name = "ip-forward"

    def run(self, context: Context) -> Iterable[Verdict]:
        value = (context.paths.read(_LIVE_VALUE) or "").strip()
        if value == "1":
            return [Verdict(self.name, api.HEALTHY)]
        if value == "0":
            reason = "net.ipv4.ip_forward is 0, so containers on the bridge reach no other host"
            return [Verdict(self.name, api.UNHEALTHY, reason, "fix-configuration")]
        return [Verdict(self.name, api.UNKNOWN, f"{_LIVE_VALUE} could not be read", "fix-configuration")]
