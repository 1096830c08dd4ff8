"""Turns verdicts into components: since when, and neither sick nor healthy again by one flap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Optional

from npu_agent import api
from npu_agent.health import rules
from npu_agent.health.flaps import Flaps
from npu_agent.health.rules import Rules
from npu_agent.health.verdict import Verdict, graver

_AWAITED = "; it looks good again, a second good look is awaited"


@dataclass(frozen=True)
class Moment:
    """When a round of verdicts was made.

    `counts` is False where nothing new was looked at, so that neither a fault's end nor its start may rest on it.
    """

    iso: str
    observed_at: Optional[str] = None
    steady_s: float = 0.0
    counts: bool = True


@dataclass(frozen=True)
class _Track:
    """`wound` is the last unhealthy component that is not forgiven yet, after `good` good looks in a row.

    `bad` counts looks in a row that are worse, but not believed yet.
    """

    component: api.Component
    wound: Optional[api.Component] = None
    good: int = 0
    bad: int = 0


@dataclass
class Tracker:
    """Remembers each component between cycles, and what was kept of the time before the agent's start.

    A fault is believed at once, unless its rule asks for more looks; its end after good looks in a row.
    """

    by: Rules = field(default_factory=rules.shipped)
    remembered: Mapping[str, api.Component] = field(default_factory=dict)
    trials: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _tracks: dict[str, _Track] = field(default_factory=dict)
    _flaps: Flaps = field(init=False)

    def __post_init__(self) -> None:
        self._flaps = Flaps(self.by.flapping)

    def update(self, verdicts: Iterable[Verdict], moment: Moment) -> tuple[api.Component, ...]:
        """Return the components in the verdicts' order; those no longer judged are forgotten."""
        found = list(verdicts)
        self._tracks = {verdict.name: self._next(verdict, moment) for verdict in found}
        self.trials = {verdict.name: verdict.trials for verdict in found if verdict.trials}
        if moment.counts:
            judged = {verdict.name for verdict in found}
            self.remembered = {name: kept for name, kept in self.remembered.items() if name not in judged}
        return tuple(self._flaps.hold(track.component, moment.steady_s) for track in self._tracks.values())

    def _next(self, verdict: Verdict, moment: Moment) -> _Track:
        track = self._tracks.get(verdict.name)
        looked = moment.counts or verdict.state != api.UNKNOWN
        before = self.remembered.get(verdict.name) if looked else None
        if before is not None:
            track = _Track(before, before if before.state == api.UNHEALTHY else None)
        fresh = api.Component(
            verdict.name,
            verdict.state,
            verdict.reason,
            verdict.action,
            moment.iso,
            moment.observed_at,
            marks=list(verdict.marks),
        )
        if track is None:
            return _Track(fresh, fresh if fresh.state == api.UNHEALTHY else None)
        if _doubtful(track, verdict):
            bad = track.bad + 1 if moment.counts else track.bad
            if bad < verdict.looks:
                return replace(track, component=replace(track.component, observed_at=moment.observed_at), bad=bad)
        return self._believed(track, fresh, moment)

    def _believed(self, track: _Track, fresh: api.Component, moment: Moment) -> _Track:
        fresh = replace(fresh, since=track.component.since if track.component.state == fresh.state else moment.iso)
        base = replace(track, component=fresh, bad=0)
        if fresh.state == api.UNHEALTHY:
            return replace(base, wound=fresh, good=0)
        if fresh.state == api.UNKNOWN or track.wound is None:
            return replace(base, good=0)
        good = track.good + 1 if moment.counts else track.good
        if good >= self.by.good_looks(fresh.name):
            return replace(base, wound=None, good=0)
        held = replace(track.wound, reason=track.wound.reason + _AWAITED, observed_at=moment.observed_at)
        return replace(base, component=held, good=good)


def _doubtful(track: _Track, verdict: Verdict) -> bool:
    """A worse verdict that wants to be seen more than once, after a state that was seen."""
    return verdict.looks > 1 and track.component.state != api.UNKNOWN and graver(verdict.state, track.component.state)
