"""metadata-guard: whether anything keeps containers from the cloud's metadata address."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent import api
from npu_agent.health.check import Context, register
from npu_agent.health.verdict import Verdict


@register
class MetadataGuard:
    """Judges what the role recorded; the proof from inside a container is the role's own work."""

    name = "metadata-guard"

    def run(self, context: Context) -> Iterable[Verdict]:
        guard = context.snapshot.facts.guard
        if guard is None:
            reason = "nothing on this node says that containers are kept from the metadata service"
            return [Verdict(self.name, api.DEGRADED, reason, "fix-configuration")]
        if guard.get("host_network_guarded") is not True:
            reason = "containers on the host network can reach the metadata service"
            return [Verdict(self.name, api.DEGRADED, reason, "fix-configuration")]
        return [Verdict(self.name, api.HEALTHY)]
