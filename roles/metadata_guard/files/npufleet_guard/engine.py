"""What the Docker engine says: names of containers, and networks that pass by the node's packet filter."""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import Any, NamedTuple

_SOCKET = "/var/run/docker.sock"
_PID_FILE = "/var/run/docker.pid"
_WAIT_S = 20  # on a busy machine it takes its time
# Their packets leave by the parent interface without passing the hooks that see forwarded and local packets.
_PASSING_BY = ("macvlan", "ipvlan")


class Network(NamedTuple):
    """`parent` is the interface that its packets leave by; empty where the engine does not tell."""

    name: str
    driver: str
    parent: str
    containers: list[str]


class Engine(NamedTuple):
    """`names` of running containers by id, and the networks that pass by."""

    names: dict[str, str]
    networks: list[Network]


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_WAIT_S)
        self.sock.connect(_SOCKET)


def read() -> Engine | None:
    """None where the engine does not run or does not answer: not known is not the same as none."""
    containers, listed = _ask("/containers/json"), _ask("/networks")
    if containers is None or listed is None:
        return None
    names = {item["Id"]: (item.get("Names") or ["/" + item["Id"][:12]])[0].lstrip("/") for item in containers}
    on = {item["Id"]: (item.get("NetworkSettings") or {}).get("Networks") or {} for item in containers}
    networks = [
        Network(
            network["Name"],
            network["Driver"],
            (network.get("Options") or {}).get("parent", ""),
            sorted(names[key] for key, joined in on.items() if network["Name"] in joined),
        )
        for network in listed
        if network.get("Driver") in _PASSING_BY
    ]
    return Engine(names, networks)


def _runs() -> bool:
    """Asking the socket of an engine that is stopped would start it, and wait for it while it is starting."""
    try:
        with open(_PID_FILE, encoding="ascii") as stream:
            return os.path.exists(f"/proc/{int(stream.read())}/exe")
    except (OSError, ValueError):
        return False


def _ask(path: str) -> Any:
    if not _runs():
        return None
    connection = _Connection("docker", timeout=_WAIT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body.decode()) if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
