"""A fleet of agents in memory that live on a clock of their own, and a runner that brings them revisions."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from requests.adapters import BaseAdapter
from rich.text import Text

from npu_agent import api
from npufleet.agent_client import AgentClient
from npufleet.fleet import Fleet, T
from npufleet.inventory import Inventory
from npufleet.result import Exit, Frame, Result
from npufleet.rollout import control, plan, rows
from npufleet.rollout import settings as settings_of
from npufleet.rollout.apply import Outcome, Outcomes
from npufleet.rollout.control import Rollouts, Wanted
from npufleet.rollout.lock import Lock
from npufleet.rollout.record import Record
from npufleet.rollout.revision import Revision
from npufleet.rollout.site import Clock, Site
from npufleet.sweep import Answer
from npufleet.testing import MemoryAgent, Reply, memory_fleet
from unit.fleet.samples import make_node, make_npus

OPERATOR = "alice"
NEW = Revision("new", variables={"docker_daemon_options": {"live-restore": True}})


class KilledError(BaseException):
    """The program is gone: nothing that would run at its end has run."""


@dataclass
class Time:
    now: float = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class FakeNode(BaseAdapter):
    """What a node remembers, and what is wrong with it; `sick_on` is the revision that it does not stand."""

    name: str
    time: Time
    revision: str = "inventory"
    cordons: dict[str, str] = field(default_factory=dict)
    drain: dict[str, Any] | None = None
    work_until: float = 0.0
    sick_on: str = ""
    unknown_on: str = ""
    silent: bool = False
    error: Exception | None = None
    version: str = "0.1.0"
    boot_id: str = "boot-1"
    observe: Callable[[], str] | None = None
    too_old: bool = False
    asked: list[str] = field(default_factory=list)
    after_call: Callable[[], None] = lambda: None

    def send(self, request: requests.PreparedRequest, *_args: object, **_options: object) -> requests.Response:
        if self.silent:
            raise requests.ConnectTimeout("no answer")
        if self.error is not None:
            raise self.error
        parts = urlsplit(str(request.path_url))
        reply = self._answer(str(request.method), parts.path, parse_qs(parts.query), request.body)
        if request.method != "GET":
            self.asked.append(f"{request.method} {parts.path}")
            self.after_call()
        return MemoryAgent({f"{request.method} {parts.path}": reply}).send(request)

    def close(self) -> None:
        pass

    def _answer(self, method: str, path: str, query: Mapping[str, list[str]], body: Any) -> Reply:
        if path == "/v1/drain" and self.too_old:
            return Reply(api.Problem("Not found", 404, "There is nothing here.", api.CODE_NOT_FOUND).to_dict(), 404)
        if path == "/v1/drain" and method == "PUT":
            self.drain = json.loads(body)
            self.cordons[self.drain["owner"]] = self.drain.get("reason", "")
        if method == "DELETE" and path == "/v1/cordon":
            owner = query["owner"][0]
            if self.cordons and owner not in self.cordons:
                problem = api.Problem("Conflict", 409, "The cordon is another's.", api.CODE_CORDON_OWNER)
                return Reply(problem.to_dict(), 409)
            self.cordons.pop(owner, None)
            self.drain = None if self.drain and self.drain["owner"] == owner else self.drain
        return Reply(self._document(path))

    def _document(self, path: str) -> Any:
        state = self.state
        cordons = [api.Cordon(owner, reason) for owner, reason in self.cordons.items()]
        reasons = [] if state == api.HEALTHY else [f"npu/3: {state}: npu-smi reports Alarm"]
        observed = self.observe() if self.observe else f"t{int(self.time.now // 5)}"
        health = api.HealthReport(
            self.name, not reasons and not cordons, state, [*reasons, *(f"cordoned by {c.owner}" for c in cordons)]
        )
        node = api.Node(self.name, self.version, boot_id=self.boot_id, cordoned=bool(cordons))
        known: dict[str, api.Wire] = {
            "/v1/overview": api.Overview(node, health, api.NpuReport(observed, 1.0, make_npus())),
            "/v1/cordon": api.Cordons(bool(cordons), cordons),
            "/v1/drain": self._drain(),
        }
        return known[path].to_dict()

    @property
    def state(self) -> str:
        if self.revision == self.unknown_on:
            return api.UNKNOWN
        return api.UNHEALTHY if self.revision == self.sick_on else api.HEALTHY

    def _drain(self) -> api.Drain:
        if self.drain is None:
            return api.Drain()
        busy = self.time.now < self.work_until
        waiting = ["workload job-7"] if busy else []
        return api.Drain(
            "draining" if busy else "drained", self.drain["owner"], self.drain["mode"], waiting_for=waiting
        )


@dataclass
class MortalFleet(Fleet):
    after: Callable[[], None] = lambda: None

    def ask(self, call: Callable[[AgentClient], T], names: Iterable[str] | None = None) -> list[Answer[T]]:
        answers = super().ask(call, names)
        self.after()
        return answers


@dataclass
class World:
    """Everything outside of the program: it stays when the program is killed."""

    folder: Path
    time: Time = field(default_factory=Time)
    nodes: dict[str, FakeNode] = field(default_factory=dict)
    runs: list[tuple[str, list[str], str]] = field(default_factory=list)
    fails: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    # Called with the names before a playbook does anything.
    before_run: Callable[[Sequence[str]], None] = lambda _names: None
    hooks: dict[str, str] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)
    fuse: int = 0
    doomed: bool = False
    live: Rollouts | None = None

    def add(self, *names: str) -> World:
        for name in names:
            self.nodes[name] = FakeNode(name, self.time, after_call=self.count_call)
        return self

    def burn(self) -> None:
        """Count a moment at which the program may be killed; the fuse says which one it is."""
        self.count_call()
        self.die_if_doomed()

    def count_call(self) -> None:
        """Called in the threads that ask the agents, which the program's death reaches a moment later."""
        self.fuse -= 1
        self.doomed = self.doomed or self.fuse == 0

    def die_if_doomed(self) -> None:
        if self.doomed:
            raise KilledError

    def apply(self, playbook: str, names: Sequence[str], revision: Revision) -> Generator[Frame, None, Outcomes]:
        yield Frame(lambda: Text(playbook))
        self.before_run(names)
        self.runs.append((playbook, list(names), revision.name))
        ends = {}
        for name in names:
            ends[name] = self.fails.get((name, revision.name), Outcome("done"))
            if ends[name].fine:
                self.nodes[name].revision = revision.name
        self.burn()
        return ends

    def hook(self, name: str, _settings: object, _environment: Mapping[str, str]) -> str:
        self.called.append(name)
        return self.hooks.get(name, "")

    def program(self) -> Rollouts:
        """The program, started anew on what the last one has left."""
        record = Record(self.folder / "rollouts.sqlite", after_write=self.burn)
        inventory = Inventory(Path("inventory/test"), ())
        plain = memory_fleet([make_node(name) for name in self.nodes], self.nodes, inventory)
        fleet = MortalFleet(plain.inventory, plain.connect, after=self.die_if_doomed)
        site = Site(fleet, self.apply, Path(), Clock(lambda: self.time.now, self.time.sleep), self.hook)
        self.live = Rollouts(
            record,
            Lock(self.folder / "rollouts.lock"),
            site,
            lambda _id, line: Frame(lambda: Text(line), line),
            lambda verb, one: Result(verb, data=summary(record, one), exit_code=Exit.FINE),
        )
        return self.live

    def begin(self, revision: Revision = NEW, **settings: Any) -> dict[str, Any]:
        program = self.program()
        nodes = list(program.site.fleet.inventory.nodes)
        return play(program.begin(Wanted(revision, settings_of.read({**QUICK, **settings}), nodes)))

    def resume(self, **changes: Any) -> dict[str, Any]:
        return play(self.program().resume(None, changes))

    @contextlib.contextmanager
    def dying_at(self, moment: int) -> Iterator[None]:
        self.fuse = moment
        with contextlib.suppress(KilledError):
            yield
        self.fuse, self.doomed = 0, False

    def states(self) -> dict[str, str]:
        record = Record(self.folder / "rollouts.sqlite")
        return {node.node: node.state for node in record.nodes(record.rollout().id)}


QUICK = {
    "poll": "4s",
    "auto_promote": True,
    "min_healthy_time": "10s",
    "healthy_deadline": "60s",
    "progress_deadline": "120s",
}


def play(steps: Generator[Frame, None, Result]) -> dict[str, Any]:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result.data


def summary(record: Record, rollout: str) -> dict[str, Any]:
    """What the end of a rollout is: all of it but the times and the id, which two runs never share."""
    row = record.rollout(rollout)
    nodes = record.nodes(rollout)
    return {
        "state": row.state,
        "reason": row.reason.replace(rollout, "ROLLOUT"),
        "direction": row.direction,
        "stable": record.stable("test"),
        "nodes": {n.node: (n.state, n.reason.replace(rollout, "ROLLOUT"), n.changed, n.cordon) for n in nodes},
    }


__all__ = ["NEW", "QUICK", "FakeNode", "KilledError", "Time", "World", "control", "plan", "play", "rows", "summary"]
