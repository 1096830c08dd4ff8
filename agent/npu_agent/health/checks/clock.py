"""clock: kept by a time server, and not set by hand under running work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timezone
from typing import Optional

from npu_agent import api
from npu_agent.health.check import Context, register
from npu_agent.health.limits import by_limit
from npu_agent.health.verdict import Verdict, gravest

_ACTION = "fix-configuration"
# The first version of this agent is younger than that: a node that says so has lost its clock.
_IMPOSSIBLE_BEFORE = 2024


@register
class Clock:
    """Remembers by how much the wall clock was ahead of the steady one: a change of that is a step."""

    name = "clock"

    def __init__(self) -> None:
        self._ahead_s: Optional[float] = None
        self._step_s: Optional[float] = None
        self._stepped_at = 0.0

    def run(self, context: Context) -> Iterable[Verdict]:
        if context.now is None:
            return []
        self._watch(context)
        return [gravest([Verdict(self.name, api.HEALTHY), *self._found(context)])]

    def _found(self, context: Context) -> list[Verdict]:
        found = by_limit(
            self.name, context.rules, "clock-step-s", self._told_step_s(context), self._step_words(), mark="step"
        )
        if context.now is not None and context.now.astimezone(timezone.utc).year < _IMPOSSIBLE_BEFORE:
            reason = f"the clock says {context.now:%Y-%m-%d}: it was lost"
            found.append(Verdict(self.name, api.UNHEALTHY, reason, _ACTION, marks=("lost",)))
        kernel = context.kernel_clock
        if kernel is None or not kernel.synchronised:
            words = "no time server keeps the clock" if kernel else "the kernel does not tell who keeps the clock"
            state = context.rules.unsynchronised
            action = "none" if state == api.HEALTHY else _ACTION
            found.append(Verdict(self.name, state, words, action, marks=("unsynchronised",)))
        else:
            words = f"the clock may be wrong by {kernel.error_s or 0:.1f} s"
            found += by_limit(self.name, context.rules, "clock-error-s", kernel.error_s, words, mark="wrong")
        return found

    def _watch(self, context: Context) -> None:
        assert context.now is not None
        ahead_s = context.now.timestamp() - context.monotonic
        limit = context.rules.threshold("clock-step-s").degraded
        if self._ahead_s is not None and limit is not None and abs(ahead_s - self._ahead_s) >= limit:
            self._step_s, self._stepped_at = ahead_s - self._ahead_s, context.monotonic
        self._ahead_s = ahead_s

    def _told_step_s(self, context: Context) -> Optional[float]:
        recent = context.monotonic - self._stepped_at <= context.rules.step_told_s
        return abs(self._step_s) if self._step_s is not None and recent else None

    def _step_words(self) -> str:
        return f"the clock was set by {self._step_s or 0:+.1f} s"
