"""What comes and goes is held at its worst, until it has been quiet for long enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Optional

from npu_agent import api
from npu_agent.health.overtime import span
from npu_agent.health.rules import Flapping, kind
from npu_agent.health.verdict import graver


@dataclass(frozen=True)
class _Story:
    """`falls` are the moments at which it fell ill; `worst` is how ill it was since the first of them."""

    falls: tuple[float, ...] = ()
    worst: Optional[api.Component] = None
    ill: bool = False
    ill_at: float = 0.0


@dataclass
class Flaps:
    by: Mapping[str, Flapping]
    _stories: dict[str, _Story] = field(default_factory=dict)

    def hold(self, component: api.Component, now: float) -> api.Component:
        """Take in a component as it is now, in steady seconds, and return it as it is to be told."""
        rule = self.by.get(kind(component.name))
        if rule is None or component.state == api.UNKNOWN:
            return component
        story = _next(self._stories.get(component.name, _Story()), component, now, rule)
        self._stories[component.name] = story
        if story.ill or story.worst is None or len(story.falls) < rule.times:
            return component
        reason = (
            f"{story.worst.reason}; it has come and gone {len(story.falls)} times within {span(rule.within_s)},"
            f" and is held until it has been quiet for {span(rule.quiet_s)}"
        )
        return replace(story.worst, reason=reason, observed_at=component.observed_at)


def _next(story: _Story, component: api.Component, now: float, rule: Flapping) -> _Story:
    if component.state == api.HEALTHY:
        if now - story.ill_at >= rule.quiet_s:
            return _Story()
        return replace(story, ill=False)
    falls = story.falls if story.ill else (*story.falls, now)
    falls = tuple(at for at in falls if now - at <= rule.within_s)
    worst = component if story.worst is None or not graver(story.worst.state, component.state) else story.worst
    return _Story(falls, worst, ill=True, ill_at=now)
