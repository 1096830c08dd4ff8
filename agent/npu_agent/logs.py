"""A container's output as an asynchronous stream: a thread reads Docker, the loop never waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Optional

from npu_agent import api
from npu_agent.engine import LogStream
from npu_agent.problem import ProblemError

FOLLOWERS_LIMIT = 32
_BACKLOG = 16


class Followers:
    """The streams that are being read, bounded, so that forgotten clients cannot use up the agent."""

    def __init__(self, limit: int = FOLLOWERS_LIMIT) -> None:
        self._limit = limit
        self._open: set[LogStream] = set()

    def __len__(self) -> int:
        return len(self._open)

    def check(self) -> None:
        if len(self._open) >= self._limit:
            raise ProblemError(
                503,
                api.CODE_RATE_LIMIT,
                f"{self._limit} clients read logs of this node now, which is the limit.",
                "Close some of them.",
            )

    def close(self) -> None:
        """The agent stops: every follower's stream ends."""
        for stream in list(self._open):
            stream.close()

    async def read(self, stream: LogStream) -> AsyncIterator[bytes]:
        """Yield chunks until the log or the client ends; a slow client slows the reading thread, not the loop."""
        self._open.add(stream)
        queue: asyncio.Queue[Optional[bytes]] = asyncio.Queue(_BACKLOG)
        pump = _Pump(stream, asyncio.get_running_loop(), queue)
        threading.Thread(target=pump.run, name="log-reader", daemon=True).start()
        try:
            while (chunk := await queue.get()) is not None:
                yield chunk
        finally:
            self._open.discard(stream)
            pump.closed = True
            stream.close()
            while not queue.empty():  # the thread may wait for a free place
                queue.get_nowait()


class _Pump:
    def __init__(
        self, stream: LogStream, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[Optional[bytes]]
    ) -> None:
        self.closed = False
        self._stream = stream
        self._loop = loop
        self._put: Callable[[Optional[bytes]], object] = queue.put

    def run(self) -> None:
        for chunk in self._stream:
            if self.closed or not self._give(chunk):
                return
        self._give(None)

    def _give(self, chunk: Optional[bytes]) -> bool:
        if self.closed or self._loop.is_closed():
            return False
        put = self._put(chunk)
        try:
            asyncio.run_coroutine_threadsafe(put, self._loop).result()  # type: ignore[arg-type]  # Queue.put is a coroutine
        except (RuntimeError, asyncio.CancelledError):  # the loop has stopped meanwhile
            return False
        return True
