"""npu/<n>: every NPU that is there or ought to be."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent.health.check import Context, ageing, register
from npu_agent.health.npu import judge
from npu_agent.health.verdict import Verdict


@register
@ageing
class Npus:
    name = "npu"

    def run(self, context: Context) -> Iterable[Verdict]:
        return [judge(npu, context.snapshot, context.rules) for npu in context.snapshot.npus]
