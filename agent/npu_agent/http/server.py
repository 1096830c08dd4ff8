"""uvicorn as this agent runs it: two listeners in one loop, strict limits, one tick a second, no signal handling."""

from __future__ import annotations

import asyncio
import asyncio.constants
import asyncio.sslproto
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from starlette.types import ASGIApp
from uvicorn.config import Config as UvicornConfig
from uvicorn.server import Server as UvicornServer

from npu_agent.config import Config, ConfigError
from npu_agent.http.connection import Connection
from npu_agent.http.door import Door, Room

ROOM = Room(total=256, per_address=64)
LOCAL_ROOM = Room(total=64, per_address=64)
HEADER_LIMIT = 16 * 1024
KEEP_ALIVE_S = 30
BACKLOG = 256
TLS_BUFFER = 16 * 1024
HANDSHAKE_WAIT_S = 10.0
GOODBYE_WAIT_S = 5.0
TICK_S = 1.0

log = logging.getLogger(__name__)


class Server(UvicornServer):
    """Signals belong to the daemon; the loop wakes once a second instead of ten times."""

    def __init__(self, config: UvicornConfig) -> None:
        super().__init__(config)
        self._stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.sweep(loop.time())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), TICK_S)

    def stop(self) -> None:
        self.should_exit = True
        self._stop.set()


def make_server(app: ASGIApp, tls: Optional[ssl.SSLContext] = None) -> Server:
    config = UvicornConfig(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=HEADER_LIMIT,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    config.load()
    config.ssl = tls
    return Server(config)


def tls_context(config: Config) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tls.certificate, config.tls.key)
    except (OSError, ssl.SSLError) as error:
        words = error.strerror or str(error)
        raise ConfigError(
            f"The certificate {config.tls.certificate} and its key {config.tls.key} cannot be used: {words}."
            " Run the certificates role."
        ) from None
    _ask_for_client_certificates(context, Path(config.tls.ca))
    return context


def _ask_for_client_certificates(context: ssl.SSLContext, authority: Path) -> None:
    """Ask, never insist: a token is as good. OpenSSL refuses the nodes' own certificates: they are for servers."""
    if not authority.exists():
        log.warning("no client certificate is accepted: %s is not there", authority)
        return
    try:
        context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"The CA {authority} cannot be used: {words}. Run the certificates role.") from None
    context.verify_mode = ssl.CERT_OPTIONAL


def limit_tls() -> None:
    """Bound what a connection costs before and after it is one, and how much memory it has.

    Python 3.11 and later keep 256 KiB a TLS connection: with hundreds of clients that is the whole budget.
    """
    if hasattr(asyncio.sslproto.SSLProtocol, "max_size"):
        asyncio.sslproto.SSLProtocol.max_size = TLS_BUFFER
    # uvicorn passes no limits on, so asyncio's own are what counts: a minute for each, which a byte a second would use.
    for name, seconds in (("SSL_HANDSHAKE_TIMEOUT", HANDSHAKE_WAIT_S), ("SSL_SHUTDOWN_TIMEOUT", GOODBYE_WAIT_S)):
        if hasattr(asyncio.constants, name):
            setattr(asyncio.constants, name, seconds)


def listen_tcp(config: Config) -> socket.socket:
    address, port = config.listen.address, config.listen.port
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = Door(family, socket.SOCK_STREAM)
    listener.room = ROOM
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by what is accepted. asyncio sets it only on sockets made for IPPROTO_TCP by name, and without it
        # an answer of two segments waits 40 ms for the reader's delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        hint = "another program listens there" if error.errno == errno.EADDRINUSE else str(error.strerror)
        raise ConfigError(f"The agent cannot listen on {address} port {port}: {hint}. Correct `listen`.") from None
    listener.setblocking(False)
    return listener


def listen_unix(path: Path) -> socket.socket:
    """Root's door: the file is made with mode 0600 before anybody can connect to it."""
    listener = Door(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.room = LOCAL_ROOM
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"The agent cannot make its socket {path}: {error.strerror}. Correct `run_dir`.") from None
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener
