"""One look at whether a container does its work: over HTTP or TCP, by a command inside it, or by its log."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from npu_agent import engine
from npu_agent.engine import Container, Engine

HTTP = "http"
TCP = "tcp"
LOG_PROGRESS = "log-progress"
EXIT_CODE = "exit-code"
_DEFAULTS: dict[str, Any] = {
    "interval_s": 10,
    "timeout_s": 5,
    "failures": 3,
    "start_period_s": 60,
    "stalled_after_s": 1800,
    "path": "/",
    "action": "report",
}


@dataclass(frozen=True)
class Outcome:
    fine: bool
    words: str


def settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {**_DEFAULTS, **asked}


def run(asked: Mapping[str, Any], container: Container, network: str, containers: Engine) -> Outcome:
    """Blocks for at most the probe's time limit; engine errors pass through. Not for log-progress."""
    if asked["kind"] == EXIT_CODE:
        return _command(asked, container, containers)
    address = "127.0.0.1" if network == "host" else container.address
    if address is None:
        return Outcome(fine=False, words="the container has no address")
    try:
        if asked["kind"] == TCP:
            return _tcp(address, asked)
        return _http(address, asked)
    except (OSError, http.client.HTTPException) as error:
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Outcome(fine=False, words=f"{asked['kind']} port {asked['port']}: {what}")


def _tcp(address: str, asked: Mapping[str, Any]) -> Outcome:
    socket.create_connection((address, asked["port"]), timeout=asked["timeout_s"]).close()
    return Outcome(fine=True, words=f"port {asked['port']} takes connections")


def _http(address: str, asked: Mapping[str, Any]) -> Outcome:
    """No proxy, no redirect, and not one byte of the body: only the status counts."""
    connection = http.client.HTTPConnection(address, asked["port"], timeout=asked["timeout_s"])
    try:
        connection.request("GET", asked["path"], headers={"Host": f"localhost:{asked['port']}", "Connection": "close"})
        status = connection.getresponse().status
    finally:
        connection.close()
    return Outcome(200 <= status < 400, f"{asked['path']} answers {status}")


def _command(asked: Mapping[str, Any], container: Container, containers: Engine) -> Outcome:
    code = containers.run_inside(container.id, list(asked["command"]), float(asked["timeout_s"]))
    if code is None:
        return Outcome(fine=False, words=f"the command did not end within {asked['timeout_s']:g} s")
    return Outcome(code == 0, f"the command ended with exit code {code}")


def stalled(asked: Mapping[str, Any], quiet_s: Optional[float]) -> Outcome:
    """`quiet_s` is the time since the last new iteration, or since the start; None is not known yet."""
    if quiet_s is None:
        return Outcome(fine=True, words="nothing was read yet")
    if quiet_s >= asked["stalled_after_s"]:
        return Outcome(fine=False, words=f"no new iteration for {quiet_s:.0f} s")
    return Outcome(fine=True, words=f"the last new iteration came {quiet_s:.0f} s ago")


def failure(error: engine.EngineError) -> Outcome:
    return Outcome(fine=False, words=f"Docker could not run the command: {error}")
