"""The agent's own API over the root-only socket: one short connection a request, standard library only."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from npu_agent.problem import ProblemError

TIMEOUT_S = 30.0


class AgentDownError(Exception):
    """Nobody answers at the socket: one sentence with the remedy."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: Optional[float]) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _open(path: Path, target: str, timeout: Optional[float]) -> http.client.HTTPResponse:
    connection = _Connection(path, timeout)
    try:
        connection.request("GET", target)
        return connection.getresponse()
    except PermissionError:
        connection.close()
        raise AgentDownError(f"Only root may use {path}. Run the command as root.") from None
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise AgentDownError(
            f"The agent does not answer at {path}: {words}. See `systemctl status npu-agent`."
        ) from None


def get(path: Path, target: str) -> Any:
    """The JSON answer, whatever its status says of the node; refusals are raised."""
    with _open(path, target, TIMEOUT_S) as response:
        document = json.loads(response.read())
    if response.status >= 400 and isinstance(document, dict) and "code" in document:
        raise _as_error(document)
    return document


def stream(path: Path, target: str, *, follow: bool) -> Iterator[bytes]:
    with _open(path, target, None if follow else TIMEOUT_S) as response:
        if response.status >= 400:
            raise _as_error(json.loads(response.read()))
        while chunk := response.read1(65536):
            yield chunk


def _as_error(document: dict[str, Any]) -> ProblemError:
    return ProblemError(
        int(document.get("status", 500)),
        str(document["code"]),
        str(document.get("detail", "")),
        str(document.get("remedy", "")),
    )
