"""What the record tells of a rollout and of one node in it."""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from npufleet.rollout import states

FORWARD, BACK = "forward", "back"
# A resume of a rollout that asks about failures accepts them.
FAILURES = "failures"
# Our own cordon on a node: not set, set (or about to be), about to be lifted.
NO_CORDON, STANDING, LIFTING = "", "standing", "lifting"


@dataclass(frozen=True)
class RolloutRow:
    """`revision` and `back` are digests: what is rolled out, and what to go back to ("" where nothing is known)."""

    inventory: str
    revision: str
    back: str
    settings: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    id: str = ""
    created: str = ""
    since: str = ""
    state: str = states.PENDING
    reason: str = ""
    direction: str = FORWARD
    ends_as: str = ""
    promoted: int = 0
    # What another terminal wants of a rollout that is under way, and what a paused one asks its operator.
    wish: str = ""
    asks: str = ""

    @staticmethod
    def of(row: sqlite3.Row) -> RolloutRow:
        return RolloutRow(**{**dict(row), "settings": json.loads(row["settings"])})

    def numbered(self, number: int, created: str) -> RolloutRow:
        """The id owns cordons on the nodes: chance keeps it apart from one of a record that was lost."""
        return replace(self, number=number, id=f"rollout-{number}-{secrets.token_hex(2)}", created=created)

    @property
    def goes_back(self) -> bool:
        return self.direction == BACK

    @property
    def target(self) -> str:
        return self.back if self.goes_back else self.revision

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class NodeRow:
    """`changed`: a playbook of this rollout has been started on it, and it has not been reverted since."""

    rollout: str
    node: str
    place: int
    batch: int
    state: str
    since: str
    reason: str = ""
    cordon: str = NO_CORDON
    changed: int = 0
    accepted: int = 0
    inconclusive: int = 0
    boot_id: str = ""
    again: int = 0

    @staticmethod
    def of(row: sqlite3.Row) -> NodeRow:
        return NodeRow(**dict(row))

    def to_dict(self) -> dict[str, Any]:
        kept = ("node", "batch", "state", "reason", "since")
        return {
            **{key: value for key, value in asdict(self).items() if key in kept},
            "changed": bool(self.changed),
            "cordoned_by_rollout": self.cordon != NO_CORDON,
        }
