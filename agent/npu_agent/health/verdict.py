"""Verdicts on components, and what they say together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from npu_agent import api

_GRAVITY = {api.HEALTHY: 0, api.DEGRADED: 1, api.UNKNOWN: 2, api.UNHEALTHY: 3}
# From harmless to drastic: of several faults of one component, the most drastic action cures them all.
_DRASTIC = (
    "none",
    "restart-workload",
    "fix-configuration",
    "check-driver",
    "reset-npu-when-idle",
    "reset-npu",
    "reboot-node",
    "replace-hardware",
)


@dataclass(frozen=True)
class Verdict:
    """What a check found: one sentence why, and what to do. `reason` is empty only for plainly healthy components.

    `marks` name the fault for rules about time: error codes, or short words. A verdict that is worse than the one
    before is believed after `looks` in a row. `trials` are sentences of rules that only report.
    """

    name: str
    state: str
    reason: str = ""
    action: str = "none"
    marks: tuple[str, ...] = ()
    looks: int = 1
    trials: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overall:
    ready: bool
    state: str
    reasons: tuple[str, ...]


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """Join verdicts on one component: the gravest state and its reason, with the most drastic action."""
    ordered = sorted(verdicts, key=lambda v: (_GRAVITY[v.state], _DRASTIC.index(v.action)), reverse=True)
    worst = ordered[0]
    action = max((v.action for v in ordered if v.state == worst.state), key=_DRASTIC.index)
    reasons = dict.fromkeys(v.reason for v in ordered if v.state == worst.state and v.reason)
    return Verdict(
        worst.name,
        worst.state,
        "; ".join(reasons),
        action,
        marks=tuple(dict.fromkeys(mark for v in ordered for mark in v.marks)),
        looks=min(v.looks for v in ordered if v.state == worst.state),
        trials=tuple(dict.fromkeys(trial for v in ordered for trial in v.trials)),
    )


def more_drastic(one: str, other: str) -> str:
    return max(one, other, key=_DRASTIC.index)


def graver(state: str, than: str) -> bool:
    return _GRAVITY[state] > _GRAVITY[than]


def overall(components: Iterable[api.Component], *, complete: bool = True) -> Overall:
    """Tell whether the node may be given work: unknown is never healthy, and keeps work away."""
    nodes_own = [component for component in components if not component.name.startswith(api.NOT_THE_NODES)]
    blocking = [c for c in nodes_own if c.state == api.UNHEALTHY or _blocks_unknown(c)]
    reasons = tuple(f"{c.name}: {c.state}: {c.reason}" if c.reason else f"{c.name}: {c.state}" for c in blocking)
    if not complete:
        reasons = ("no complete probe yet", *reasons)
    state = max((c.state for c in nodes_own), key=_GRAVITY.__getitem__, default=api.UNKNOWN)
    return Overall(complete and not blocking, state if complete else api.UNKNOWN, reasons)


def _blocks_unknown(component: api.Component) -> bool:
    return component.state == api.UNKNOWN and not component.name.startswith(api.MAY_BE_UNKNOWN)
