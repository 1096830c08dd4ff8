"""What a spec would become on this node: the wire type of a dry run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from npu_agent.api_wire import Wire


@dataclass(frozen=True)
class Plan(Wire):
    """`body` is exactly what Docker's create call would be sent for the container `container`; nothing is leased."""

    container: str
    body: dict[str, Any]
    npus: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
