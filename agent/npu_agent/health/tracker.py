"""Turns verdicts into components: since when, and not healthy again on the first good look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Optional

from npu_agent import api
from npu_agent.health.verdict import Verdict

GOOD_IN_A_ROW = 2
_AWAITED = "; it looks good again, a second good look is awaited"


@dataclass(frozen=True)
class _Track:
    """`wound` is the last unhealthy component that is not forgiven yet, after `good` good looks in a row."""

    component: api.Component
    wound: Optional[api.Component] = None
    good: int = 0


class Tracker:
    """Remembers each component between cycles. A fault is believed at once, its end after two good looks in a row."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}

    def update(
        self, verdicts: Iterable[Verdict], *, now: str, observed_at: Optional[str], counts: bool = True
    ) -> tuple[api.Component, ...]:
        """Return the components in the verdicts' order; those no longer judged are forgotten.

        `counts` is False where nothing new was looked at, so that no recovery may rest on it.
        """
        self._tracks = {v.name: _next(self._tracks.get(v.name), v, now, observed_at, counts=counts) for v in verdicts}
        return tuple(track.component for track in self._tracks.values())


def _next(track: Optional[_Track], verdict: Verdict, now: str, observed_at: Optional[str], *, counts: bool) -> _Track:
    fresh = api.Component(verdict.name, verdict.state, verdict.reason, verdict.action, now, observed_at)
    if track is None:
        return _Track(fresh, fresh if fresh.state == api.UNHEALTHY else None)
    since = track.component.since if track.component.state == fresh.state else now
    fresh = replace(fresh, since=since)
    if fresh.state == api.UNHEALTHY:
        return _Track(fresh, fresh)
    if fresh.state == api.UNKNOWN or track.wound is None:
        return _Track(fresh, track.wound)
    good = track.good + 1 if counts else track.good
    if good >= GOOD_IN_A_ROW:
        return _Track(fresh)
    held = replace(track.wound, reason=track.wound.reason + _AWAITED, observed_at=observed_at)
    return _Track(held, track.wound, good)
