"""What a health check is, and the list of those that every node runs: one module each, registered by decorator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional, Protocol, TypeVar

from npu_agent.facts import NodePaths
from npu_agent.health import rules
from npu_agent.health.rules import Rules
from npu_agent.health.verdict import Verdict
from npu_agent.kernel_clock import KernelClock
from npu_agent.snapshot import Snapshot


@dataclass(frozen=True)
class Context:
    """What a check may look at. Checks are quick, never run a tool and never touch a network file system."""

    snapshot: Snapshot
    paths: NodePaths
    expected_npus: Optional[int] = None
    fast_interval_s: float = 5.0
    slow_interval_s: float = 60.0
    disk_paths: tuple[str, ...] = ()
    rules: Rules = field(default_factory=rules.shipped)
    now: Optional[datetime] = None
    monotonic: float = 0.0
    kernel_clock: Optional[KernelClock] = None
    probe_duration_s: Optional[float] = None


class Check(Protocol):
    """`name` is the component, or the part before the slash where there are several."""

    name: str

    def run(self, context: Context) -> Iterable[Verdict]: ...


C = TypeVar("C", bound=type)
_REGISTRY: dict[str, type[Check]] = {}
_AGEING: set[str] = set()


def register(cls: C) -> C:
    """Add a check to those that every node runs."""
    _REGISTRY[cls.name] = cls  # type: ignore[attr-defined]  # the protocol says that it is there
    return cls


def ageing(cls: C) -> C:
    """Mark a check whose verdict changes merely because the last probe gets old; it may read the snapshot only."""
    _AGEING.add(cls.name)  # type: ignore[attr-defined]  # the protocol says that it is there
    return cls


def built_in() -> list[Check]:
    """Make one of each, what the hardware says first."""
    return [_REGISTRY[name]() for name in sorted(_REGISTRY, key=lambda name: (name not in _AGEING, name))]


def is_ageing(check: Check) -> bool:
    return check.name in _AGEING
