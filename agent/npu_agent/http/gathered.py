"""What is written in one turn of the loop leaves in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

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
