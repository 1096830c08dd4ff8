"""A container engine in memory: the narrow door of npu_agent.engine, with faults that a test can cause."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional

from npu_agent import engine
from npu_agent.engine import Container

NEVER = "0001-01-01T00:00:00Z"


def undisturbed(_operation: str) -> None:
    """Nothing goes wrong."""


class FakeLogs:
    def __init__(self, chunks: list[bytes], *, follow: bool) -> None:
        self._chunks = chunks
        self._follow = follow
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._follow:
            self.closed.wait(10)

    def close(self) -> None:
        self.closed.set()


class FakeEngine:
    """Keeps documents as Docker's inspect tells them, so that reading them is tested too.

    `before` is called with the name of each operation before it is done: raise there to make a fault happen.
    """

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.images = {"img:1"}
        self.calls: list[str] = []
        self.before: Callable[[str], None] = undisturbed
        self.output: list[bytes] = [b"hello\n"]
        self.streams: list[FakeLogs] = []
        self._lock = threading.RLock()
        self.pid = 0
        self.since: Optional[float] = None
        self.exit_code: Optional[int] = 0
        self.pull_events: list[dict[str, Any]] = []
        self._made = 0

    def _enter(self, operation: str) -> None:
        self.calls.append(operation)
        self.before(operation)

    def _find(self, key: str) -> dict[str, Any]:
        for document in self.documents.values():
            if key in {document["Id"], document["Name"].lstrip("/")}:
                return document
        raise engine.NotFoundError(f"No such container: {key}")

    def version(self) -> str:
        self._enter("version")
        return "27.0"

    def containers(self) -> list[Container]:
        self._enter("containers")
        with self._lock:
            return [engine.from_inspect(document) for document in self.documents.values()]

    def inspect(self, container: str) -> Container:
        self._enter("inspect")
        with self._lock:
            return engine.from_inspect(copy.deepcopy(self._find(container)))

    def image_exists(self, image: str) -> bool:
        self._enter("image_exists")
        return image in self.images

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        self._enter("create")
        with self._lock:
            if any(document["Name"] == f"/{name}" for document in self.documents.values()):
                raise engine.NameTakenError(f"The container name {name} is already in use")
            return self.add(name, body)

    def add(self, name: str, body: Mapping[str, Any], *, running: bool = False) -> str:
        """A container that somebody made, without a call being counted."""
        self._made += 1
        container_id = f"{self._made:064x}"
        self.documents[container_id] = {
            "Id": container_id,
            "Name": f"/{name}",
            "Config": {key: body.get(key) for key in ("Image", "Env", "Labels", "Cmd")},
            "HostConfig": copy.deepcopy(body.get("HostConfig", {})),
            "RestartCount": 0,
            "State": {"Status": "created", "ExitCode": 0, "StartedAt": NEVER, "FinishedAt": NEVER, "Error": ""},
        }
        if running:
            self._run(container_id)
        return container_id

    def _run(self, container: str) -> None:
        self._find(container)["State"].update(
            Pid=self.pid, Status="running", StartedAt="2026-01-02T03:04:05.123456789Z"
        )

    def start(self, container: str) -> None:
        self._enter("start")
        with self._lock:
            self._run(container)

    def finish(self, container: str, code: int, **state: Any) -> None:
        """The container's main process ends by itself."""
        self._find(container)["State"].update(
            Status="exited", ExitCode=code, FinishedAt="2026-01-02T03:05:05Z", **state
        )

    def stop(self, container: str, grace_s: int) -> None:
        self._enter(f"stop {grace_s}")
        with self._lock:
            self.finish(container, 143)

    def remove(self, container: str) -> None:
        self._enter("remove")
        with self._lock:
            del self.documents[self._find(container)["Id"]]

    def run_inside(self, container: str, command: Sequence[str], timeout_s: float) -> Optional[int]:
        self._enter(f"run {' '.join(command)}")
        return self.exit_code

    def pull(self, image: str) -> Iterator[Mapping[str, Any]]:
        self._enter("pull")
        yield from self.pull_events
        self.images.add(image)

    def logs(
        self,
        container: str,
        *,
        tail: Optional[int],
        follow: bool,
        since_s: Optional[float] = None,
        timestamps: bool = False,
    ) -> FakeLogs:
        """Each chunk is a line, printed a second after the one before."""
        self._enter(f"logs {tail}")
        self._find(container)
        lines = [b"2026-01-01T00:%02d:%02d.000000000Z %s" % (i // 60, i % 60, c) for i, c in enumerate(self.output)]
        chunks = lines if timestamps else self.output
        self.since = since_s
        stream = FakeLogs(chunks if tail is None else chunks[-tail:], follow=follow)
        self.streams.append(stream)
        return stream

    @property
    def running(self) -> list[str]:
        return [d["Name"].lstrip("/") for d in self.documents.values() if d["State"]["Status"] == "running"]
