"""What the agent knows of the time before its start, and what it says of the start itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from npu_agent import api_events
from npu_agent.changes import Picture
from npu_agent.health.ledger import Ledger
from npu_agent.history import History
from npu_agent.monitor import Past

PICTURE = "picture"
LEDGER = "ledger"
_BOOT = "boot_id"


@dataclass(frozen=True)
class Memory:
    """`boot_id` is that of the boot in which the picture was kept; None where nothing was kept."""

    picture: Picture = field(default_factory=Picture)
    ledger: Ledger = field(default_factory=Ledger)
    boot_id: Optional[str] = None

    def past(self, boot_id: Optional[str]) -> Past:
        """Give what still holds: states of an earlier boot of the node do not, what was seen when does."""
        same = self.boot_id is not None and self.boot_id == boot_id
        return Past(self.picture.components if same else {}, self.ledger)


def dated(picture: Picture, boot_id: Optional[str]) -> dict[str, Any]:
    """Give the document that recall() reads back."""
    return {_BOOT: boot_id, **picture.to_document()}


def recall(history: History) -> Memory:
    kept = history.recall(PICTURE)
    boot = kept.get(_BOOT) if isinstance(kept, dict) else None
    return Memory(Picture.from_document(kept), Ledger.from_document(history.recall(LEDGER)), boot)


def announce(history: History, before: Memory, version: str, boot_id: Optional[str]) -> None:
    """Tell the agent's start, and that the node was booted where it was."""
    if before.boot_id is not None and before.boot_id != boot_id:
        history.tell(api_events.REBOOT, "node", "the node was booted anew", **{"from": before.boot_id, "to": boot_id})
    history.tell(api_events.AGENT, "agent", f"npu-agent {version} has started", version=version, boot_id=boot_id)
