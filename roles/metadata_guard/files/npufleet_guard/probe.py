"""The truth about the rules: a process in a guarded group tries to send, and the kernel must forbid it."""

from __future__ import annotations

import errno
import os
import socket

_DISCARD = 9
_WAIT_S = 0.5
_LEAF = "npufleet-probe"
FORBIDDEN, SENT, NO_WAY = "forbidden", "sent", "no way"


def sending(address: str) -> str:
    """What becomes of one datagram from this process. A packet filter's verdict is told to the sender as EPERM."""
    answers = {_send(where) for where in _targets(address)}
    if SENT in answers:
        return SENT
    return FORBIDDEN if FORBIDDEN in answers else NO_WAY


def from_group(group: str, address: str) -> str:
    """The same from a short-lived process in a group of its own below this one; or why that cannot be tried."""
    leaf = os.path.join(group, _LEAF)
    reader, writer = os.pipe()
    try:
        os.makedirs(leaf, exist_ok=True)
        child = os.fork()
        if child == 0:
            os.write(writer, _in_child(leaf, address).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        writer = -1
        return os.read(reader, 500).decode()
    except OSError as error:
        return f"not tried: {error}"
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
        _remove(leaf)


def _in_child(leaf: str, address: str) -> str:
    try:
        with open(os.path.join(leaf, "cgroup.procs"), "w", encoding="ascii") as stream:
            stream.write("0")
        return sending(address)
    except Exception as error:  # noqa: BLE001  # the child must not run on into its parent's code
        return f"not tried: {error}"


def _remove(leaf: str) -> None:
    try:
        os.rmdir(leaf)
    except OSError:  # it could not be made, or is still being emptied; the next probe uses it again
        return


def _targets(address: str) -> list[tuple[int, tuple[object, ...]]]:
    """A link-local address of IPv6 is another one on every interface."""
    if ":" not in address:
        return [(socket.AF_INET, (address, _DISCARD))]
    if not address.lower().startswith("fe80"):
        return [(socket.AF_INET6, (address, _DISCARD, 0, 0))]
    return [(socket.AF_INET6, (address, _DISCARD, 0, index)) for index in _with_ipv6()]


def _with_ipv6() -> list[int]:
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as stream:
            rows = [line.split() for line in stream]
    except OSError:
        return []
    return sorted({int(row[1], 16) for row in rows if row[3] == "20"})


def _send(target: tuple[int, tuple[object, ...]]) -> str:
    family, where = target
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_WAIT_S)
            sender.connect(where)
            sender.send(b"")
            return SENT
    except OSError as error:
        return FORBIDDEN if error.errno == errno.EPERM else NO_WAY
