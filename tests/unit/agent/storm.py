"""A node on which anything may happen between any two steps of the agent: around each call and each commit."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from npu_agent import api, engine, holders
from npu_agent.engine import Container
from npu_agent.intake import Node
from npu_agent.problem import ProblemError
from npu_agent.pulls import Pulls
from npu_agent.reconcile import Reconciler
from npu_agent.store import Store
from npu_agent.workloads import Workloads
from unit.agent.bench import Bench
from unit.agent.fake_engine import FakeEngine

FAR_IMAGE = "far:1"
AFTER_KILL = 137


class Killed(BaseException):
    """The agent was killed here: nothing after this line runs."""


@dataclass
class Storm:
    """Hits that wait for their point: how many points come before it, and what happens there.

    While something happens nothing else does, so what a hit does is itself undisturbed.
    """

    waiting: list[tuple[int, Callable[[str], None]]] = field(default_factory=list)
    calm: bool = False
    disk_full: bool = False
    hits: int = 0

    def point(self, where: str) -> None:
        if self.calm or not self.waiting:
            return
        left, action = self.waiting.pop(0)
        if left:
            self.waiting.insert(0, (left - 1, action))
            return
        self.hits += 1
        self.calm = True
        try:
            action(where)
        finally:
            self.calm = False

    @contextlib.contextmanager
    def around(self, what: str) -> Iterator[None]:
        self.point(f"before {what}")
        yield
        self.point(f"after {what}")


class StormyEngine(FakeEngine):
    """The engine in memory with Docker's manners, points around each call, and a book of what was started on what."""

    def __init__(self, storm: Storm) -> None:
        super().__init__()
        self.storm = storm
        self.down = False
        self.ill: set[int] = set()
        self.broken: list[str] = []
        self.starts: collections.Counter[str] = collections.Counter()
        self.forgiving = False  # who restarts by hand may do so on an NPU that fell ill

    @contextlib.contextmanager
    def _door(self, what: str) -> Iterator[None]:
        with self.storm.around(what):
            if self.down:
                raise engine.EngineUnreachableError("connection refused")
            yield

    def containers(self) -> list[Container]:
        with self._door("containers"):
            return super().containers()

    def inspect(self, container: str) -> Container:
        with self._door("inspect"):
            return super().inspect(container)

    def image_exists(self, image: str) -> bool:
        with self._door("image_exists"):
            return super().image_exists(image)

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        with self._door("create"):
            return super().create(name, body)

    def start(self, container: str) -> None:
        with self._door("start"):
            me = super().inspect(container)
            if not me.active:
                self._judge(me)
                self.starts[me.id] += 1
                super().start(container)

    def _judge(self, me: Container) -> None:
        for other in super().containers():
            if other.active and other.id != me.id and holders.claimed(other, me.npus) & me.npus:
                self.broken.append(f"{me.name} was started on NPUs that {other.name} uses")
        if me.npus & self.ill and not self.forgiving:
            self.broken.append(f"{me.name} was started on {sorted(me.npus & self.ill)}, which fell ill before")

    def stop(self, container: str, grace_s: int) -> None:
        with self._door("stop"):
            if super().inspect(container).active:
                super().stop(container, grace_s)

    def remove(self, container: str) -> None:
        with self._door("remove"):
            super().remove(container)

    def run_inside(self, container: str, command: Sequence[str], timeout_s: float) -> int | None:
        with self._door("run"):
            return super().run_inside(container, command, timeout_s)

    def pull(self, image: str) -> Iterator[Mapping[str, Any]]:
        with self._door("pull"):
            yield {"id": "a", "status": "Downloading", "progressDetail": {"current": 1, "total": 2}}
            self.storm.point("while pulling")
            self.images.add(image)

    def seen(self) -> list[Container]:
        """What is really there, for the one who judges."""
        return [engine.from_inspect(document) for document in self.documents.values()]

    def die(self, *, live: bool) -> None:
        """The engine is gone; without live-restore its containers are too."""
        self.down = True
        if not live:
            self.end_all()

    def end_all(self) -> None:
        for one in self.seen():
            if one.active:
                self.finish(one.id, AFTER_KILL)


class StormyStore(Store):
    """The real one, with points around each commit. Nothing here loses power, so nothing waits for the disk."""

    def __init__(self, path: Path, storm: Storm) -> None:
        super().__init__(path)
        self._connection.execute("PRAGMA synchronous = OFF")
        self._storm = storm

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        self._storm.point("before commit")
        if self._storm.disk_full:
            raise ProblemError(503, api.CODE_STATE_WRITE, "The disk is full.", "Free space.")
        with super().transaction() as connection:
            yield connection
        self._storm.point("after commit")


class HastyWorkloads(Workloads):
    """One thread does everything here, so who finds a workload locked would wait for himself."""

    @contextlib.contextmanager
    def locked(self, name: str, wait_s: float = 0.0) -> Iterator[None]:
        with super().locked(name, 0.0):
            yield


@dataclass
class StormyBench(Bench):
    """The agent's own code on top of it. What the daemon would give to a thread waits in `jobs` for its turn."""

    storm: Storm = field(default_factory=Storm)
    jobs: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stormy = StormyEngine(self.storm)
        self.engine = self.stormy
        super().__post_init__()

    def restart(self) -> None:
        """All that the agent had in memory is gone; what is left is its file."""
        self.close()
        self.jobs = []
        self.store = StormyStore(self.folder / "agent.db", self.storm)
        node = Node("node-1", lambda: self.facts, lambda: self.policy, lambda: self.seen, self.folder / "files")
        self.workloads = HastyWorkloads(self.engine, self.store, node, self.clock)
        self.workloads.pulls = Pulls(self.engine, spawn=self.jobs.append, sleep=lambda _seconds: None)
        self.reconciler = Reconciler(self.workloads, self.jobs.append)

    def look(self) -> None:
        """A cycle as the daemon makes it."""
        try:
            found = self.engine.containers()
        except engine.EngineError:
            self.reconciler.blind()
            return
        self.reconciler.run(found)

    def work(self) -> None:
        """One job, as a worker thread would do it: what it raises ends in the journal."""
        if self.jobs:
            job = self.jobs.pop(0)
            with contextlib.suppress(engine.EngineError, ProblemError):
                job()

    def work_off(self) -> None:
        while self.jobs:
            self.work()
