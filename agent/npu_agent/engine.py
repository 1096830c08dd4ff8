"""The narrow door to the container engine: what the agent needs of it, as plain data and four kinds of failure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol

from npu_agent import api, units

ACTIVE = frozenset({"running", "paused", "restarting"})

# Bounded: Python refuses to read numbers of thousands of digits, and anybody's image may hold one.
_DAVINCI = re.compile(r"/dev/davinci(\d{1,9})")
_VISIBLE = re.compile(r"(?:Ascend\d*\w*-|npu-)?(\d{1,12})(?:-(\d{1,12}))?", re.IGNORECASE)
_VISIBLE_LIMIT = 1024


class EngineError(Exception):
    """Anything that went wrong with the engine."""


class EngineUnreachableError(EngineError):
    """The engine does not answer: nothing is known about containers now."""


class NotFoundError(EngineError):
    """The container or image does not exist."""


class RefusedError(EngineError):
    """The engine answered, and said no."""


class DeniedError(RefusedError):
    """The registry wants another credential."""


class NameTakenError(RefusedError):
    """A container with this name exists."""


@dataclass(frozen=True)
class Container:
    """One container as the engine tells it; `npus` are those it can open, `all_npus` says every one of them."""

    id: str
    name: str
    state: str
    labels: Mapping[str, str] = field(default_factory=dict)
    npus: frozenset[int] = frozenset()
    all_npus: bool = False
    image: str = ""
    exit_code: Optional[int] = None
    error: str = ""
    oom_killed: bool = False
    started_at: Optional[str] = None
    finished_at: Optional[str] = None
    restart_policy: str = "no"
    restart_count: int = 0
    restart_limit: int = 0
    pid: Optional[int] = None
    address: Optional[str] = None  # on the bridge network

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def workload(self) -> Optional[str]:
        """The workload that it is. The label alone proves nothing: an image committed from a workload keeps it."""
        name = self.labels.get(api.LABEL_WORKLOAD)
        return name if name and self.name == api.CONTAINER_PREFIX + name else None

    @property
    def ended_for_good(self) -> bool:
        """True where the engine will not start it again by itself.

        One that ended because the engine was stopped comes back with it, if its policy says so.
        """
        if self.active or self.state == "created":
            return False
        if self.restart_policy in {"", "no"}:
            return True
        if self.restart_policy == "on-failure":
            return self.exit_code == 0 or self.restart_count >= self.restart_limit > 0
        return False


class LogStream(Protocol):
    """Chunks of a container's output; close() ends a follower from another thread."""

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class Engine(Protocol):
    """Blocking calls; each raises one of the errors above and nothing else."""

    def version(self) -> str: ...

    def containers(self) -> list[Container]: ...

    def inspect(self, container: str) -> Container: ...

    def image_exists(self, image: str) -> bool: ...

    def create(self, name: str, body: Mapping[str, Any]) -> str: ...

    def start(self, container: str) -> None: ...

    def stop(self, container: str, grace_s: int) -> None: ...

    def remove(self, container: str) -> None: ...

    def logs(
        self,
        container: str,
        *,
        tail: Optional[int],
        follow: bool,
        since_s: Optional[float] = None,
        timestamps: bool = False,
    ) -> LogStream: ...

    def run_inside(self, container: str, command: Sequence[str], timeout_s: float) -> Optional[int]: ...

    def pull(self, image: str) -> Iterator[Mapping[str, Any]]: ...


def from_inspect(document: Mapping[str, Any]) -> Container:
    """Read Docker's inspect document; fields that a version of Docker does not give stay unknown."""
    state = document.get("State") or {}
    config = document.get("Config") or {}
    host = document.get("HostConfig") or {}
    policy = host.get("RestartPolicy") or {}
    status = str(state.get("Status", ""))
    npus, everything = _npus_of(host, config)
    return Container(
        id=str(document.get("Id", "")),
        name=str(document.get("Name", "")).lstrip("/"),
        state=status,
        labels=dict(config.get("Labels") or {}),
        npus=npus,
        all_npus=everything,
        image=str(config.get("Image", "")),
        exit_code=None if status in ACTIVE or status == "created" else state.get("ExitCode"),
        error=str(state.get("Error", "")),
        oom_killed=bool(state.get("OOMKilled")),
        started_at=units.from_docker(state.get("StartedAt")),
        finished_at=units.from_docker(state.get("FinishedAt")),
        restart_policy=str(policy.get("Name", "")),
        restart_count=int(document.get("RestartCount") or 0),
        restart_limit=int(policy.get("MaximumRetryCount") or 0),
        pid=state.get("Pid") or None,
        address=_address(document.get("NetworkSettings") or {}),
    )


def _address(settings: Mapping[str, Any]) -> Optional[str]:
    """The container's address; which key has it depends on Docker's version."""
    for network in (settings.get("Networks") or {}).values():
        if network and network.get("IPAddress"):
            return str(network["IPAddress"])
    return settings.get("IPAddress") or None


def _npus_of(host: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[frozenset[int], bool]:
    """Which NPUs a container can open: by device list, by the Ascend runtime's variable, or all when privileged."""
    npus: set[int] = set()
    everything = bool(host.get("Privileged"))
    for device in host.get("Devices") or ():
        # As it was typed: //dev/davinci0 and /dev/./davinci0 are the same device.
        path = "/" + posixpath.normpath(str(device.get("PathOnHost", ""))).lstrip("/")
        match = _DAVINCI.fullmatch(path)
        if match:
            npus.add(int(match[1]))
        everything = everything or path == "/dev"
    for item in config.get("Env") or ():
        key, _, value = str(item).partition("=")
        if key == "ASCEND_VISIBLE_DEVICES":
            npus |= visible_npus(value.split(","))
    return frozenset(npus), everything


def visible_npus(items: Iterable[str]) -> set[int]:
    """Numbers of ASCEND_VISIBLE_DEVICES: "0", "0-3", "Ascend910-1", "npu-1"; what is none of these names no NPU."""
    npus: set[int] = set()
    for item in items:
        match = _VISIBLE.fullmatch(item.strip())
        if match:
            first, last = int(match[1]), int(match[2] or match[1])
            npus.update(range(first, min(last, first + _VISIBLE_LIMIT) + 1))
    return npus
