"""What the endpoints stand on: everything they may read or ask, and nothing of the loop's inside."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, TypeVar

from npu_agent import api
from npu_agent.audit import Trail
from npu_agent.auth import Authenticator
from npu_agent.health import rules
from npu_agent.health.rules import Rules
from npu_agent.history import History
from npu_agent.logs import Followers
from npu_agent.workloads import Workloads

T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """One consistent picture of the node, made by the loop; a new object whenever something changed."""

    node: api.Node
    health: api.HealthReport
    npus: tuple[api.Npu, ...] = ()
    observed_at: Optional[str] = None
    observed_monotonic: Optional[float] = None
    complete: bool = False
    metrics: bytes = b""
    workloads: tuple[api.Workload, ...] = ()

    @functools.cached_property
    def overview(self) -> bytes:
        """All but the end of an api.Overview: it is written once, and only the age differs from answer to answer."""
        told = {
            "node": self.node.to_dict(),
            "health": self.health.to_dict(),
            "workloads": [workload.to_dict() for workload in self.workloads],
            "npus": {"observed_at": self.observed_at, "npus": [npu.to_dict() for npu in self.npus]},
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()[:-2]


@dataclass(frozen=True)
class Pulse:
    """When the loop last turned, and how old that may be."""

    age_s: Callable[[], float]
    limit_s: float


@dataclass
class EventReaders:
    """How many follow the events now, bounded, so that forgotten clients cannot use up the agent."""

    count: int = 0
    limit: int = 32

    @property
    def full(self) -> bool:
        return self.count >= self.limit


@dataclass(frozen=True)
class Service:
    published: Callable[[], Published]
    pulse: Pulse
    workloads: Workloads
    authenticator: Authenticator
    executor: Executor
    monotonic: Callable[[], float]
    changed: Callable[[], None] = lambda: None
    followers: Followers = field(default_factory=Followers)
    history: History = field(default_factory=lambda: History(Path(":memory:")))
    event_readers: EventReaders = field(default_factory=EventReaders)
    rules: Callable[[], Rules] = rules.shipped
    trail: Trail = field(default_factory=Trail)

    async def call(self, action: Callable[[], T]) -> T:
        """Run blocking work in a worker thread: the loop never waits for Docker or the disk."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, action)
