"""A connection as this agent serves it: an answer leaves in one piece, and one that was cut leaves nothing."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

from uvicorn.protocols.http.h11_impl import H11Protocol

GATHER_LIMIT = 64 * 1024


class Gathered:
    """A transport that joins what is written in one turn of the loop.

    uvicorn writes head and body apart: two TLS records and two system calls, a fifth of what an answer costs.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= GATHER_LIMIT:  # a long stream must feel that its reader is slow
            self.flush()

    def flush(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))

    def close(self) -> None:
        self.flush()
        self._transport.close()


class Connection(H11Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(Gathered(transport, self.loop))  # type: ignore[arg-type]  # it does what a transport does

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Uvicorn leaves the keep-alive timer running when a connection was cut, and with it half a minute's memory."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
