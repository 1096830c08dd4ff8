"""A playbook run from its order to its end, as the verbs that started it look back on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from npufleet.playbook_events import NodeRun, Tracker
from npufleet.result import Result

CANCELED = "canceled"


@dataclass(frozen=True)
class Order:
    """What to run, on what, and how."""

    verb: str
    playbook: str
    inventory: Path
    limit: str | None = None
    tags: str | None = None
    check: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    # Makes the result; None is for verbs that have no more to tell than how far each node came.
    conclude: Callable[[Story], Result] | None = None


@dataclass(frozen=True)
class End:
    """How ansible-playbook ended: its status in ansible-runner's words, and its exit code."""

    status: str
    code: int


@dataclass(frozen=True)
class Story:
    """A run that is over."""

    order: Order
    tracker: Tracker
    end: End
    took_s: float
    folder: Path

    @property
    def nodes(self) -> list[NodeRun]:
        return list(self.tracker.nodes.values())

    @property
    def whole(self) -> bool:
        """Whether the playbook came to its own end: what is not told of a node then is not so."""
        return self.tracker.finished and self.end.status != CANCELED
