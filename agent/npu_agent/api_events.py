"""The wire types of events and of the fault table: plain data, standard library only, shared with the fleet side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from npu_agent.api import Wire

# What an event is about. Programs decide by these, people read the message.
AGENT = "agent"
REBOOT = "reboot"
HEALTH = "health"
PROBE = "probe"
READY = "ready"
LEASE = "lease"
WORKLOAD = "workload"
CORDON = "cordon"
RULE = "rule"
LOST = "lost"
KINDS = (AGENT, REBOOT, HEALTH, PROBE, READY, LEASE, WORKLOAD, CORDON, RULE, LOST)


@dataclass(frozen=True)
class Event(Wire):
    """One thing that happened; `seq` only grows on a node, and `subject` is a component, a workload or an NPU."""

    seq: int
    at: str
    kind: str
    subject: str
    message: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EventPage(Wire):
    """What is kept after a number, in order. `gap`: something between was dropped; `next`: where to go on."""

    events: list[Event] = field(default_factory=list)
    oldest: Optional[int] = None
    newest: Optional[int] = None
    next: int = 0
    gap: bool = False


@dataclass(frozen=True)
class FaultInfo(Wire):
    """One fault code; texts are keyed by language (en, zh), and `advice` by use (training, inference) before that."""

    code: str
    known: bool
    level: Optional[str] = None
    severity: Optional[str] = None
    module: Optional[str] = None
    state: str = "unknown"
    action: str = "none"
    cause: dict[str, str] = field(default_factory=dict)
    component: dict[str, str] = field(default_factory=dict)
    meaning: dict[str, str] = field(default_factory=dict)
    advice: dict[str, Any] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
