"""A listener that lets in only so many at once, in all and from one address, before TLS costs anything."""

from __future__ import annotations

import collections
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from npu_agent.http.peer import neighbourhood

log = logging.getLogger(__name__)

_TOLD_EVERY_S = 60.0


@dataclass(frozen=True)
class Room:
    """How many connections may be open at once; those that still shake hands count."""

    total: int = 256
    per_address: int = 64


class Guest(socket.socket):
    """An accepted connection that says when it is closed."""

    leave: Callable[[], None]

    def close(self) -> None:
        super().close()
        leave, self.leave = self.leave, _nothing
        leave()


def _nothing() -> None:
    """Has left already."""


class Door(socket.socket):
    room = Room()

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._inside: collections.Counter[str] = collections.Counter()
        self._told = float("-inf")

    def accept(self) -> tuple[socket.socket, Any]:
        """Turn away who finds no room, with the error that asyncio knows as: go on listening."""
        accepted, address = super().accept()
        who = neighbourhood(address[0]) if isinstance(address, tuple) else ""
        if sum(self._inside.values()) >= self.room.total or (who and self._inside[who] >= self.room.per_address):
            accepted.close()
            self._tell(who)
            raise ConnectionAbortedError
        guest = Guest(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        self._inside[who] += 1
        guest.leave = lambda: self._left(who)
        return guest, address

    def _left(self, who: str) -> None:
        self._inside[who] -= 1
        if self._inside[who] <= 0:
            del self._inside[who]

    def _tell(self, who: str) -> None:
        now = time.monotonic()
        if now - self._told >= _TOLD_EVERY_S:
            self._told = now
            open_now = sum(self._inside.values())
            log.warning("a connection from %s is turned away: %d are open", who or "this node", open_now)
