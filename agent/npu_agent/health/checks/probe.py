"""probe: whether npu-smi answers at all."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent import api
from npu_agent.health.check import Context, ageing, register
from npu_agent.health.limits import by_limit
from npu_agent.health.npu import trouble_action
from npu_agent.health.verdict import Verdict, gravest
from npu_agent.snapshot import Snapshot


@register
@ageing
class Probe:
    name = "probe"

    def run(self, context: Context) -> Iterable[Verdict]:
        slow = by_limit(
            self.name,
            context.rules,
            "probe-duration-s",
            context.probe_duration_s,
            f"the last npu-smi info took {context.probe_duration_s or 0:.1f} s",
            mark="slow",
        )
        return [gravest([_judge(context.snapshot), *slow])]


def _judge(snapshot: Snapshot) -> Verdict:
    name, said = Probe.name, snapshot.errors[0].message if snapshot.errors else ""
    if not snapshot.first_answer:
        return Verdict(
            name, api.UNKNOWN, f"no complete probe yet{': ' + said if said else ''}", trouble_action(snapshot)
        )
    if snapshot.stale:
        age = snapshot.answer_age_s or 0
        reason = f"npu-smi gave its last good answer {age:.0f} s ago{': ' + said if said else ''}"
        return Verdict(name, api.UNKNOWN, reason, trouble_action(snapshot))
    if snapshot.unkillable:
        return Verdict(name, api.DEGRADED, "a call of npu-smi hangs in the kernel and cannot be killed", "reboot-node")
    if snapshot.errors:
        return Verdict(name, api.DEGRADED, f"the last answer of npu-smi is not whole: {said}", trouble_action(snapshot))
    return Verdict(name, api.HEALTHY)
