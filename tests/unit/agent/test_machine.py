"""Requests, crashes, ends, faults and reboots in any order and between any two steps: nothing is lost or doubled.

NPUFLEET_CHAOS=full tries many more, other ones at every run, and prints what was tried.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from npu_agent import api, engine, store
from npu_agent.problem import ProblemError
from npu_agent.workloads import NotThereError
from unit.agent.bench import FakeSeen, npus, prepared, spec
from unit.agent.promises import ABSENT, LEAVING, PRESENT, REFUSED, UNSURE, Promises
from unit.agent.storm import FAR_IMAGE, Killed, StormyBench

FULL = os.environ.get("NPUFLEET_CHAOS") == "full"
COUNT = 4  # NPUs of the node: few, so that they are wanted by several
NAMES = st.sampled_from(["a", "b", "c"])
NPUS = st.one_of(st.integers(1, 3), st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=2, unique=True))
RESTART = st.sampled_from(["no", "no", "always", "on-failure", {"policy": "always", "backoff_s": 0}])
FAULTS = (
    "kill", "kill", "docker dies", "docker dies hard", "answer lost", "refused", "disk full", "ends", "removed",
    "chip fails", "cycle", "job", "put", "delete", "restart",
)  # fmt: skip
HITS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(FAULTS), st.integers(0, 11)), max_size=2)
EVENTS = (
    "agent killed", "docker killed", "container exits", "container exits", "container removed by hand", "chip fails",
    "reboot", "stranger comes", "drain", "disk full", "time passes", "time passes",
)  # fmt: skip
TALLY: collections.Counter[str] = collections.Counter()


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="npufleet-machine-"))
        self.bench = StormyBench(self.folder, prepared(self.folder))
        self.engine = self.bench.stormy
        self.storm = self.bench.storm
        self.promises = Promises()
        self.ill: set[int] = set()
        self.cycling = False
        self.boots = 1
        self.probe()
        TALLY["examples"] += 1

    def teardown(self) -> None:
        self.bench.close()
        shutil.rmtree(self.folder)

    # What a hit does at its point

    def act(self, hits: list[tuple[int, str, int]], action: Callable[[], object]) -> None:
        """One thing that the agent does, with what happens meanwhile; a kill ends it, and another agent starts."""
        self.engine.ill = set(self.ill)
        self.storm.waiting = [(after, self.effect(what, number)) for after, what, number in hits]
        before = self.storm.hits
        try:
            action()
        except Killed:
            self.kill_agent()
        finally:
            self.storm.waiting = []
            TALLY["faults between two steps"] += self.storm.hits - before

    def effect(self, what: str, number: int) -> Callable[[str], None]:
        name = "abc"[number % 3]
        effects: dict[str, Callable[[str], None]] = {
            "kill": self.killed,
            "docker dies": lambda where: self.docker_dies(where, live=True),
            "docker dies hard": lambda where: self.docker_dies(where, live=False),
            "answer lost": lambda where: self.fail(where, engine.EngineUnreachableError("timed out")),
            "refused": lambda where: self.fail(where, engine.RefusedError("server error"), after=False),
            "disk full": lambda _where: self.fill_disk(),
            "ends": lambda _where: self.end(number, 1),
            "removed": lambda _where: self.remove_by_hand(number),
            "chip fails": lambda _where: self.fail_chip(number % COUNT),
            "cycle": lambda _where: None if self.cycling else self.bench.look(),
            "job": lambda _where: self.bench.work(),
            "put": lambda _where: self.put(name, 1, "no", "img:1"),
            "delete": lambda _where: self.delete(name),
            "restart": lambda _where: self.restart(name),
        }
        return effects[what]

    def killed(self, _where: str) -> None:
        raise Killed

    def docker_dies(self, where: str, *, live: bool) -> None:
        self.engine.die(live=live)
        self.fail(where, engine.EngineUnreachableError("connection reset"))

    @staticmethod
    def fail(where: str, error: Exception, *, after: bool = True) -> None:
        """After a call the engine has done it, and its answer does not arrive."""
        if "commit" not in where and (after or not where.startswith("after")):
            raise error

    def fill_disk(self) -> None:
        self.storm.disk_full = True

    def end(self, number: int, code: int) -> None:
        running = [one for one in self.engine.seen() if one.active]
        if running:
            self.engine.finish(running[number % len(running)].id, code)

    def remove_by_hand(self, number: int) -> None:
        everything = list(self.engine.documents)
        if everything:
            del self.engine.documents[everything[number % len(everything)]]

    def fail_chip(self, npu: int) -> None:
        self.ill.add(npu)
        self.probe(complete=self.bench.seen.complete)

    def probe(self, *, complete: bool = True) -> None:
        states = {f"n{npu}": api.UNHEALTHY for npu in self.ill}
        self.bench.seen = FakeSeen(npus(COUNT, **states), complete=complete)

    # Requests, and what their answers promise

    def put(self, name: str, wanted: Any, restart: Any, image: str) -> None:
        if self.bench.workloads.intake._one_at_a_time.locked():
            return  # another thread would wait here
        before, record = self.promises.get(name), self.bench.store.get(name)
        stands = before == PRESENT and record is not None and record.phase != store.FAILED
        pull = {"pull": "missing"} if image == FAR_IMAGE else {}
        try:
            _, created = self.bench.workloads.put(name, spec(name, npus=wanted, image=image, restart=restart, **pull))
        except ProblemError as error:
            if error.problem.code != api.CODE_WORKLOAD_BUSY and not stands and before not in {LEAVING, UNSURE}:
                self.promises.of[name] = REFUSED
            return
        except Killed:
            if not stands:
                self.promises.of[name] = UNSURE
            raise
        assert not (created and stands), f"{name} was acknowledged twice as new: the first one was forgotten"
        assert created or before != ABSENT, f"{name} was there already, although nobody had asked for it"
        self.promises.of[name] = PRESENT
        self.promises.allowed[name] = 0 if created else self.promises.allowed[name]

    def delete(self, name: str) -> None:
        before = self.promises.get(name)
        try:
            self.bench.workloads.delete(name)
        except NotThereError:
            assert before != PRESENT, f"DELETE of {name} finds nothing, although its PUT was acknowledged"
            self.promises.of[name] = ABSENT
        except ProblemError as error:
            if error.problem.code == api.CODE_STATE_WRITE:
                self.promises.of[name] = UNSURE
            elif error.problem.code != api.CODE_WORKLOAD_BUSY:
                self.promises.of[name] = LEAVING
        except Killed:
            self.promises.of[name] = UNSURE
            raise
        else:
            self.promises.of[name] = ABSENT

    def restart(self, name: str) -> None:
        """Whoever asks for it may have it on an NPU that fell ill: it may be the remedy."""
        if self.bench.workloads.intake._one_at_a_time.locked():
            return
        self.promises.allowed[name] += 1
        before, self.engine.forgiving = self.engine.forgiving, True
        try:
            self.bench.workloads.restart(name)
        except ProblemError:
            return
        finally:
            self.engine.forgiving = before

    # Rules

    @initialize(wanted=NPUS, restart=RESTART)
    def something_runs(self, wanted: Any, restart: Any) -> None:
        self.put("a", wanted, restart, "img:1")

    @rule(name=NAMES, wanted=NPUS, restart=RESTART, far=st.integers(0, 3), hits=HITS)
    def submit(self, name: str, wanted: Any, restart: Any, far: int, hits: list[Any]) -> None:
        if not far:
            self.engine.images.discard(FAR_IMAGE)
        image = FAR_IMAGE if not far else "img:1"
        self.act(hits, lambda: self.put(name, wanted, restart, image))

    @rule(wanted=NPUS, restart=RESTART, hits=HITS)
    def submit_a_new_one(self, wanted: Any, restart: Any, hits: list[Any]) -> None:
        """On a node that is well, so that it is mostly taken."""
        self.mend()
        known = {record.name for record in self.bench.store.records()}
        free = sorted({"a", "b", "c"} - known)
        if free:
            self.act(hits, lambda: self.put(free[0], wanted, restart, "img:1"))

    @precondition(lambda self: self.bench.store.records())
    @rule(number=st.integers(0, 2), again=st.booleans(), hits=HITS)
    def stop_or_restart(self, number: int, *, again: bool, hits: list[Any]) -> None:
        known = self.bench.store.records()
        name = known[number % len(known)].name
        self.act(hits, lambda: self.restart(name) if again else self.delete(name))

    @rule(name=NAMES)
    def stop_what_may_not_be_there(self, name: str) -> None:
        self.act([], lambda: self.delete(name))

    @rule(hits=HITS)
    def cycle(self, hits: list[Any]) -> None:
        self.cycling = True
        try:
            self.act(hits, self.bench.look)
        finally:
            self.cycling = False

    @precondition(lambda self: self.bench.jobs)
    @rule(hits=HITS)
    def job(self, hits: list[Any]) -> None:
        self.act(hits, self.bench.work)

    @rule(event=st.sampled_from(EVENTS), number=st.integers(0, 11))
    def world(self, event: str, number: int) -> None:
        """What nobody asked the agent for, between two of its steps."""
        TALLY[event] += 1
        events: dict[str, Callable[[], None]] = {
            "agent killed": self.kill_agent,
            "docker killed": lambda: self.engine.die(live=bool(number % 2)),
            "container exits": lambda: self.end(number, number % 2),
            "container removed by hand": lambda: self.remove_by_hand(number),
            "chip fails": lambda: self.fail_chip(number % COUNT),
            "reboot": self.reboot,
            "stranger comes": lambda: self.stranger_comes(number % COUNT),
            "drain": lambda: self.drain(number % 2),
            "disk full": self.fill_disk,
            "time passes": lambda: self.pass_time((1, 11, 700)[number % 3]),
        }
        events[event]()

    def kill_agent(self) -> None:
        """What a full disk kept from being written, a crash forgets: such a start may be resumed after all."""
        for record in self.bench.store.records():
            if record.phase in {store.RESERVED, store.CREATED} and self.promises.get(record.name) == REFUSED:
                self.promises.of[record.name] = UNSURE
        self.bench.restart()
        self.probe(complete=False)

    def reboot(self) -> None:
        self.boots += 1
        self.bench.clock.boot_id, self.bench.clock.at_s = f"boot-{self.boots}", 10.0
        self.engine.end_all()
        self.engine.down = False
        self.kill_agent()

    def stranger_comes(self, npu: int) -> None:
        """Somebody's `docker run` takes an NPU that no container uses now, leased or not."""
        if not self.engine.down and not any(one.active and npu in one.npus for one in self.engine.seen()):
            host = {"HostConfig": {"Devices": [{"PathOnHost": f"/dev/davinci{npu}"}]}}
            self.engine.add(f"stranger-{len(self.engine.calls)}", host, running=True)

    def drain(self, mode: int) -> None:
        chosen = (api.DRAIN_IMMEDIATE, api.DRAIN_ALLOW_COMPLETION)[mode]
        with contextlib.suppress(ProblemError):
            self.bench.workloads.drain.put("operator", "", chosen, None)

    def pass_time(self, seconds: int) -> None:
        self.bench.clock.at_s += seconds

    @rule()
    def mend(self) -> None:
        """All is well with the node again; what it does not run stays as it is."""
        self.engine.down = self.storm.disk_full = False
        self.ill.clear()
        self.probe()
        self.bench.workloads.uncordon("operator", force=True)
        for one in self.engine.seen():
            if one.workload is None:
                del self.engine.documents[one.id]

    @rule()
    def one_quiet_cycle(self) -> None:
        self.quiet_cycle()
        expect(self.promises.after_cycle(self.bench))

    @rule()
    def quiet(self) -> None:
        for _ in range(4):
            self.quiet_cycle()
            self.bench.clock.at_s += 400
        expect(self.promises.after_cycle(self.bench))
        expect(self.promises.settle(self.bench))

    def quiet_cycle(self) -> None:
        self.engine.down = self.storm.disk_full = False
        self.probe()
        for step in (self.bench.work_off, self.bench.look, self.bench.work_off):
            self.act([], step)

    @invariant()
    def nothing_is_broken(self) -> None:
        TALLY["steps"] += 1
        before = self.promises.checked
        expect(self.promises.always(self.bench))
        TALLY["checks"] += self.promises.checked - before


def expect(broken: Iterator[str]) -> None:
    """Nothing is broken; what is, is told."""
    assert list(broken) == []


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=2000 if FULL else 120,
    stateful_step_count=60,
    deadline=None,
    derandomize=not FULL,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    yield
    if FULL:
        target = Path("build/chaos/machine-model.json")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(dict(TALLY)) + "\n", encoding="utf-8")
        print(f"\nmachine without a node: {dict(TALLY)}")
