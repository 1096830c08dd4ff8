"""npu-count: the table, the device nodes and the PCIe bus against what the node ought to have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from npu_agent import api
from npu_agent.health.check import Context, ageing, register
from npu_agent.health.npu import trouble_action
from npu_agent.health.verdict import Verdict
from npu_agent.snapshot import Snapshot


@register
@ageing
class NpuCount:
    name = "npu-count"

    def run(self, context: Context) -> Iterable[Verdict]:
        return [_judge(context.snapshot, context.expected_npus)]


def _judge(snapshot: Snapshot, configured: Optional[int]) -> Verdict:
    name, wanted = NpuCount.name, configured or len(snapshot.npus)
    if not snapshot.first_answer or snapshot.stale:
        return Verdict(name, api.UNKNOWN, "npu-smi has not told lately which NPUs there are", trouble_action(snapshot))
    if snapshot.absent:
        missing = ", ".join(str(npu) for npu in sorted(snapshot.absent))
        listed = len([npu for npu in snapshot.npus if npu not in snapshot.absent])
        return Verdict(
            name,
            api.UNHEALTHY,
            f"npu-smi lists {listed} of {wanted} NPUs; missing: {missing}",
            "reboot-node",
            marks=(f"missing {missing}",),
        )
    if snapshot.unmapped:
        reason = f"{len(snapshot.unmapped)} chips of npu-smi's table could not be mapped to a physical id"
        return Verdict(name, api.UNKNOWN, reason, "check-driver")
    dead = [device.address for device in snapshot.facts.pci if device.dead]
    if dead:
        reason = f"an accelerator on the PCIe bus is dead (reads as ff): {', '.join(dead)}"
        return Verdict(name, api.UNHEALTHY, reason, "reboot-node", marks=("dead-on-the-bus",))
    unlisted = _unlisted(snapshot)
    if unlisted:
        reason = f"the PCIe bus has an accelerator that npu-smi does not list: {', '.join(unlisted)}"
        return Verdict(name, api.DEGRADED, reason, "check-driver")
    surplus = len([npu for npu in snapshot.sightings if snapshot.fresh(npu)]) - wanted
    if surplus > 0:
        reason = f"npu-smi lists {wanted + surplus} NPUs, {wanted} were expected"
        return Verdict(name, api.DEGRADED, reason, "fix-configuration")
    if not snapshot.npus:
        return Verdict(name, api.UNHEALTHY, "there is no NPU on this node", "check-driver")
    return Verdict(name, api.HEALTHY)


def _unlisted(snapshot: Snapshot) -> list[str]:
    """Compare by address, where npu-smi prints one for every chip; two chips of a card may share theirs."""
    listed = {sighting.chip.bus_id for sighting in snapshot.sightings.values()}
    return [] if None in listed else [device.address for device in snapshot.facts.pci if device.address not in listed]
