"""TLS towards the agents: only this fleet's CA is trusted, and a node must show its own inventory name."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

from requests.adapters import DEFAULT_POOLBLOCK, HTTPAdapter

from npufleet.errors import CredentialError

# A followed log may be silent for hours: find out within about two minutes that its node is gone.
_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
]


def trust(ca: Path) -> ssl.SSLContext:
    """One context for all nodes: loading the CA for each connection would cost more than the handshakes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=str(ca))
    except ssl.SSLError:
        raise CredentialError(
            f"{ca} is not a certificate that can be read.",
            code="credentials-invalid",
            remedy="Restore it from a backup, or prepare the fleet again.",
        ) from None
    return context


class NodeAdapter(HTTPAdapter):
    """Sends requests to one node and checks its certificate against the inventory name.

    Addresses move; the name is what the certificate was issued for. A node that answers at another's address is found
    out here.
    """

    def __init__(self, name: str, context: ssl.SSLContext) -> None:
        self._name = name
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=2, max_retries=0)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **pool_kwargs: Any
    ) -> None:
        pool_kwargs |= {
            "ssl_context": self._context,
            "server_hostname": self._name,
            "socket_options": _KEEPALIVE,
        }
        super().init_poolmanager(connections, maxsize, block=block, **pool_kwargs)

    def cert_verify(self, conn: Any, *_its_own_choice: object) -> None:
        """Keep requests from adding the public CAs to the context: what it trusts is decided in trust()."""
        conn.cert_reqs = "CERT_REQUIRED"
