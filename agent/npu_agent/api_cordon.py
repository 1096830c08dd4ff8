"""The wire types of cordons and drains; part of the API's types, see api."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from npu_agent.api_wire import Wire


@dataclass(frozen=True)
class Cordon(Wire):
    """Somebody's mark that the node, or one NPU of it, gets no new work."""

    owner: str
    reason: str = ""
    npu: Optional[int] = None
    since: Optional[str] = None


@dataclass(frozen=True)
class Cordons(Wire):
    """The node is cordoned as long as one cordon without an NPU stands."""

    cordoned: bool = False
    cordons: list[Cordon] = field(default_factory=list)


@dataclass(frozen=True)
class Drain(Wire):
    """How far the emptying of the node is: `waiting_for` names workloads, reservations and foreign holders."""

    state: str = "none"
    owner: Optional[str] = None
    mode: Optional[str] = None
    reason: str = ""
    deadline_s: Optional[int] = None
    remaining_s: Optional[float] = None
    since: Optional[str] = None
    waiting_for: list[str] = field(default_factory=list)
