"""Lets a node pass when its agent has said for long enough that it is healthy; what is not known never passes.

The agents' clocks decide nothing: an observation counts by being another one than before, and time is measured here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from npu_agent import api
from npufleet import agent_cordon, readiness
from npufleet.agent_client import AgentClient
from npufleet.agent_errors import UnreachableError
from npufleet.rollout.settings import Settings
from npufleet.sweep import Answer

GOOD, SICK, DUNNO, SILENT = "good", "sick", "unknown", "silent"


@dataclass(frozen=True)
class Seen:
    """What the gate asks an agent for."""

    node: api.Node
    health: api.HealthReport
    npus: api.NpuReport
    cordons: api.Cordons


@dataclass(frozen=True)
class Look:
    """One look at one node: a verdict and its reason."""

    verdict: str
    reason: str = ""
    observed_at: str | None = None
    boot_id: str = ""


def inquire(client: AgentClient) -> Seen:
    """Of one moment, and in as few questions as there can be: a large fleet is asked every few seconds."""
    told = client.overview()
    return Seen(told.node, told.health, told.npus, agent_cordon.cordons(client))


def look(answer: Answer[Seen], settings: Settings, *, version: str = "", owner: str = "") -> Look:
    """Judge an answer; with an owner its cordon must still stand, with a version the agent must have it."""
    if answer.problem is not None:
        silent = isinstance(answer.problem, UnreachableError)
        return Look(SILENT if silent else DUNNO, answer.problem.failure.message)
    assert answer.value is not None, "an answer without a problem has a value"
    seen = answer.value
    verdict, reason = _judge(seen, settings.dry_run)
    if version and seen.node.agent_version != version:
        verdict, reason = SICK, f"its agent is {seen.node.agent_version}, not {version} as the revision says"
    elif seen.node.api_version != api.API_VERSION:
        verdict, reason = SICK, f"its agent speaks API {seen.node.api_version}, this program {api.API_VERSION}"
    elif owner and not any(cordon.owner == owner and cordon.npu is None for cordon in seen.cordons.cordons):
        verdict, reason = SICK, "the rollout's cordon is gone: the node was installed anew, or somebody lifted it"
    return Look(verdict, reason, seen.npus.observed_at, seen.node.boot_id or "")


def _judge(seen: Seen, waived: Sequence[str]) -> tuple[str, str]:
    """Look past cordons, the rollout's own above all, and past the parts that are only reported."""
    reasons = [
        reason
        for reason in seen.health.reasons
        if not reason.startswith("cordoned by ") and reason.partition(": ")[0] not in waived
    ]
    parts = [part for part in seen.health.components if part.name not in waived]
    waived_one = len(parts) != len(seen.health.components)
    if reasons:
        sick = any(f": {api.UNHEALTHY}" in reason for reason in reasons)
        return (SICK if sick else DUNNO), reasons[0]
    if seen.health.state not in api.HEALTH_STATES:
        return DUNNO, f"its agent tells a state that is not known here: {seen.health.state}"
    unknown = readiness.not_known(parts)
    if seen.health.state == api.UNKNOWN and not waived_one and not unknown:
        return DUNNO, "its agent does not know its own state"
    if needed := [part for part in unknown if readiness.must_be_known(part)]:
        return DUNNO, f"its agent does not know its own state: {needed[0].name}: {needed[0].reason}"
    if seen.npus.observed_at is None:
        return DUNNO, "its agent has not looked at the NPUs yet"
    if not seen.health.ready and not seen.cordons.cordoned and not waived_one:
        return DUNNO, "its agent says that it is not ready, and not why"
    return GOOD, f"not known, nor needed: {', '.join(part.name for part in unknown)}" if unknown else ""


@dataclass
class Gate:
    """One node on its way through; fed with looks and the time of each, in seconds of a clock that never jumps."""

    settings: Settings
    began_s: float
    good_since_s: float | None = None
    good_looks: int = 0
    relapses: int = 0
    last: Look = field(default_factory=lambda: Look(DUNNO, "its agent was not asked yet"))
    _observed: str | None = None

    def feed(self, one: Look, now_s: float) -> None:
        if one.verdict != GOOD:
            self.relapses += one.verdict == SICK and self.good_since_s is not None
            self.good_since_s, self.good_looks, self._observed = None, 0, None
        elif self.good_since_s is None or one.observed_at != self._observed:
            self.good_since_s = now_s if self.good_since_s is None else self.good_since_s
            self.good_looks += 1
            self._observed = one.observed_at
        self.last = one

    def passed(self, now_s: float) -> bool:
        """Healthy without a break for min_healthy_time, by several observations of the agent."""
        if self.last.verdict != GOOD or self.good_since_s is None:
            return False
        long_enough = now_s - self.good_since_s >= self.settings.min_healthy_time_s
        return long_enough and self.good_looks >= self.settings.consecutive_success_limit

    def failed(self, now_s: float, progress_s: float) -> str:
        """Why the node has failed by now, or nothing; `progress_s` is when last a node became healthy."""
        settings, why = self.settings, self.last.reason or "it was healthy too briefly"
        if settings.progress_deadline_s == 0 and self.last.verdict == SICK:
            return why
        if self.relapses > settings.failure_limit:
            return f"it was healthy and no longer is: {why}"
        if now_s - self.began_s >= settings.healthy_deadline_s:
            return f"not healthy within {settings.healthy_deadline_s:g} s: {why}"
        if settings.progress_deadline_s and now_s - progress_s >= settings.progress_deadline_s:
            return f"no node became healthy for {settings.progress_deadline_s:g} s: {why}"
        return ""
