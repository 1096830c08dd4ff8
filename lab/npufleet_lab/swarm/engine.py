"""A container engine that runs nothing: it keeps what it was told, so that an agent's own code works on it."""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from npu_agent import engine
from npu_agent.engine import Container, LogStream

_NEVER = "0001-01-01T00:00:00Z"
_RUNNING = "running"


class Output:
    """What a simulated container printed; a follower waits until it hangs up."""

    def __init__(self, lines: Sequence[bytes], *, follow: bool) -> None:
        self._lines, self._follow, self._closed = lines, follow, threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield from self._lines
        if self._follow:
            self._closed.wait()

    def close(self) -> None:
        self._closed.set()


class SimulatedEngine:
    """`sleep N` ends by itself after N seconds with status 0; everything else runs until it is stopped."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, Any]] = {}
        self._ends: dict[str, float] = {}
        self._lock = threading.RLock()
        self._number = itertools.count(1)

    def version(self) -> str:
        return "simulated"

    def containers(self) -> list[Container]:
        with self._lock:
            self._end_what_is_over()
            return [engine.from_inspect(document) for document in self._documents.values()]

    def inspect(self, container: str) -> Container:
        with self._lock:
            self._end_what_is_over()
            return engine.from_inspect(copy.deepcopy(self._find(container)))

    def image_exists(self, image: str) -> bool:  # noqa: ARG002  # every image is on every simulated node
        return True

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        with self._lock:
            if any(document["Name"] == f"/{name}" for document in self._documents.values()):
                raise engine.NameTakenError(f"The container name {name} is already in use")
            found = f"{next(self._number):064x}"
            self._documents[found] = {
                "Id": found,
                "Name": f"/{name}",
                "Config": {key: body.get(key) for key in ("Image", "Env", "Labels", "Cmd")},
                "HostConfig": copy.deepcopy(body.get("HostConfig", {})),
                "RestartCount": 0,
                "State": {"Status": "created", "ExitCode": 0, "StartedAt": _NEVER, "FinishedAt": _NEVER, "Error": ""},
            }
            return found

    def start(self, container: str) -> None:
        with self._lock:
            document = self._find(container)
            document["State"].update(Status=_RUNNING, StartedAt=_now())
            lasts_s = _sleep_of(document["Config"].get("Cmd"))
            if lasts_s is not None:
                self._ends[document["Id"]] = time.monotonic() + lasts_s

    def stop(self, container: str, grace_s: int) -> None:  # noqa: ARG002  # nothing runs that could take its time
        with self._lock:
            self._finish(self._find(container), 143)

    def remove(self, container: str) -> None:
        with self._lock:
            found = self._find(container)["Id"]
            del self._documents[found]
            self._ends.pop(found, None)

    def run_inside(self, container: str, command: Sequence[str], timeout_s: float) -> int | None:  # noqa: ARG002
        with self._lock:
            self._find(container)
        return 0

    def pull(self, image: str) -> Iterator[Mapping[str, Any]]:  # noqa: ARG002  # there is nothing to bring
        return iter(())

    def logs(
        self,
        container: str,
        *,
        tail: int | None,
        follow: bool,
        since_s: float | None = None,  # noqa: ARG002  # its one line is always of interest
        timestamps: bool = False,  # noqa: ARG002
    ) -> LogStream:
        with self._lock:
            self._find(container)
        line = b"simulated: this container does not exist and computes nothing\n"
        return Output([line] if tail != 0 else [], follow=follow)

    def _find(self, key: str) -> dict[str, Any]:
        for document in self._documents.values():
            if key in {document["Id"], document["Name"].lstrip("/")}:
                return document
        raise engine.NotFoundError(f"No such container: {key}")

    def _finish(self, document: dict[str, Any], code: int) -> None:
        self._ends.pop(document["Id"], None)
        document["State"].update(Status="exited", ExitCode=code, FinishedAt=_now())

    def _end_what_is_over(self) -> None:
        now = time.monotonic()
        for found in [found for found, end in self._ends.items() if end <= now]:
            self._finish(self._documents[found], 0)


def _sleep_of(command: Any) -> float | None:
    words = command if isinstance(command, list) else []
    if len(words) == 2 and words[0] == "sleep" and str(words[1]).isdecimal():
        return timedelta(seconds=int(words[1])).total_seconds()
    return None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
