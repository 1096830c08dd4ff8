"""Who is at the other end of a connection, as far as TLS or the kernel vouches for it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

SCOPE_KEY = "npufleet.peer"
_NOBODY_LOGGED_IN = 0xFFFFFFFF
_V6_SITE = 64


@dataclass(frozen=True)
class Peer:
    """`certificate` is the common name of a verified client certificate; the rest is of a local process."""

    certificate: Optional[str] = None
    uid: Optional[int] = None
    pid: Optional[int] = None
    login_uid: Optional[int] = None

    @property
    def is_root(self) -> bool:
        """The socket's file mode keeps others out already; this holds where somebody has changed the mode."""
        return self.uid is None or self.uid in {0, os.geteuid()}

    def words(self) -> str:
        told = [("pid", self.pid), ("login uid", self.login_uid)]
        known = ", ".join(f"{name} {value}" for name, value in told if value is not None)
        return f" ({known})" if known else ""


NOBODY_KNOWN = Peer()


def of_scope(scope: Mapping[str, Any]) -> Peer:
    found = scope.get(SCOPE_KEY, NOBODY_KNOWN)
    return found if isinstance(found, Peer) else NOBODY_KNOWN


def of_transport(transport: asyncio.BaseTransport) -> Peer:
    found = transport.get_extra_info("socket")
    if found is not None and found.family == socket.AF_UNIX:
        size = struct.calcsize("3i")
        pid, uid, _ = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return Peer(uid=uid, pid=pid, login_uid=_login_uid(pid))
    return Peer(certificate=_common_name(transport.get_extra_info("peercert")))


def _login_uid(pid: int) -> Optional[int]:
    """Which user logged in before becoming root, where the kernel keeps that."""
    with contextlib.suppress(OSError, ValueError):
        number = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii"))
        return None if number == _NOBODY_LOGGED_IN else number
    return None


def _common_name(certificate: Optional[Mapping[str, Any]]) -> Optional[str]:
    """None where no certificate was shown; OpenSSL has verified the one that was."""
    for attributes in (certificate or {}).get("subject", ()):
        for name, value in attributes:
            if name == "commonName":
                return str(value)
    return None


def neighbourhood(host: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one, which a single machine has whole."""
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], _V6_SITE), strict=False))
    except ValueError:
        return host
