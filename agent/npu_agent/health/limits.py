"""Values against the limits of the rules."""

from __future__ import annotations

from typing import Optional

from npu_agent import api
from npu_agent.health.rules import Rules
from npu_agent.health.verdict import Verdict


def by_limit(
    name: str, by: Rules, rule: str, value: Optional[float], told: str, *, mark: str, low_is_bad: bool = False
) -> list[Verdict]:
    """Judge a value by a rule: nothing within the limits, a trial where the rule only reports.

    `told` is the reason without the limit; a value that is not known is not judged here.
    """
    threshold = by.threshold(rule)
    state = threshold.state(value, low_is_bad=low_is_bad)
    if state is None:
        return []
    if threshold.dry_run:
        return [Verdict(name, api.HEALTHY, trials=(f"{rule} would say {state}, {threshold.action}: {told}",))]
    return [Verdict(name, state, told, threshold.action, marks=(mark,), looks=threshold.looks)]
