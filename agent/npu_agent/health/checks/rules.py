"""rules: whether the site's own rules are in force. Told only where they are not."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent import api
from npu_agent.health.check import Context, register
from npu_agent.health.verdict import Verdict


@register
class SiteRules:
    name = "health-rules"

    def run(self, context: Context) -> Iterable[Verdict]:
        trouble = context.rules.trouble
        if trouble is None:
            return []
        reason = f"the site's rules are not in force, the shipped ones are: {trouble}"
        return [Verdict(self.name, api.DEGRADED, reason, "fix-configuration")]
