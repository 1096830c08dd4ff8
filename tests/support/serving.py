"""The agent's own server in a thread, for clients that misbehave on purpose."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any, Optional

from npu_agent.http import server


@contextlib.contextmanager
def serving(app: Any, listener: socket.socket, tls: Optional[ssl.SSLContext] = None) -> Iterator[server.Server]:
    """Serve until the block ends."""
    made: list[server.Server] = []
    ready = threading.Event()

    async def serve() -> None:
        made.append(server.make_server(app, tls))
        asyncio.get_running_loop().call_later(0.05, ready.set)
        await made[0].serve(sockets=[listener])

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made[0]
    finally:
        made[0].should_exit = True  # seen at the next tick
        thread.join(10)
        listener.close()


def read_all(client: socket.socket, limit_s: float) -> bytes:
    """What comes until the other end closes; TimeoutError where it does not."""
    client.settimeout(limit_s)
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := client.recv(65536):
            found += chunk
    return found
