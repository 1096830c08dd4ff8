"""The checker of the chaos suites finds each thing that it is there for, and nothing where all is well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import requests
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError

from support.invariants import judge
from support.ledger import ABSENT, PRESENT, UNCERTAIN, Ledger, Promise
from support.sight import parse

RUNS = {"name": "a", "state": "running", "generation": 3, "spec_sha256": "s", "npus": [0], "container_id": "A"}


def container(name: str, npus: list[int], **more: Any) -> dict[str, Any]:
    return {
        "name": f"npufleet-{name}",
        "state": "running",
        "started_at": "t",
        "pid": 1,
        "labels": {"io.npufleet.workload": name},
        "devices": ["/dev/davinci_manager", *(f"/dev/davinci{npu}" for npu in npus)],
        "privileged": False,
        **more,
    }


def lease(npu: int, workload: str) -> dict[str, Any]:
    return {"npu": npu, "workload": workload, "state": "held", "since": "t"}


class World:
    """A node where the workload `a` runs on NPU 0, as it was acknowledged; tests change it."""

    def __init__(self) -> None:
        self.containers = {"A": container("a", [0])}
        self.earlier: dict[str, Any] | None = None
        self.leases = [lease(0, "a")]
        self.workloads: dict[str, Any] = {"a": dict(RUNS)}
        self.held = {"a": Promise(PRESENT, 1, document=dict(RUNS))}
        self.moving: set[str] = set()
        self.life = "one"
        self.ledger = Ledger(cycle_s=8)

    def look(self, now: float = 0.0) -> list[str]:
        agent = {"life": self.life, "leases": self.leases, "workloads": self.workloads}
        first = self.containers if self.earlier is None else self.earlier
        sight = parse({"first": first, "agent": agent, "second": self.containers})
        return judge(sight, self.ledger, self.held, self.moving, now)

    def lasting(self) -> list[str]:
        """What is told only when it lasts."""
        assert self.look(0) == []
        assert self.look(8) == []
        return self.look(8.1)


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_is_found_where_all_is_well(world: World) -> None:
    assert world.lasting() == []
    assert world.ledger.checked > 0


def test_one_npu_in_two_running_containers(world: World) -> None:
    world.containers["B"] = container("b", [0], labels={})
    assert world.look() == ["NPU 0 is in two running containers: npufleet-a and npufleet-b"]


@pytest.mark.parametrize("other", [{"state": "exited"}, {"started_at": "later"}])
def test_containers_that_did_not_run_together_share_nothing(world: World, other: dict[str, str]) -> None:
    world.containers["B"] = container("b", [0], labels={}) | other
    world.earlier = {"A": world.containers["A"], "B": container("b", [0], labels={})}
    assert world.look() == []


def test_a_doubled_container(world: World) -> None:
    world.containers["B"] = container("a", [1]) | {"name": "npufleet-a-2"}
    assert "a has two containers: npufleet-a and npufleet-a-2" in world.look()


def test_a_lost_container(world: World) -> None:
    world.containers = {}
    assert world.look() == ["the container of a is lost"]


def test_a_container_that_the_test_took_away_is_not_lost(world: World) -> None:
    world.containers = {}
    world.held["a"] = Promise(PRESENT, 2, document=dict(RUNS), harmed=True)
    assert world.look() == []


def test_another_container_than_the_acknowledged_one(world: World) -> None:
    world.containers = {"C": world.containers["A"]}
    assert world.look() == ["the container of a is lost"]


def test_a_forgotten_start(world: World) -> None:
    world.workloads = {"a": None}
    assert "a is not known, although its PUT was acknowledged" in world.look()


@pytest.mark.parametrize("key", ["generation", "spec_sha256", "npus"])
def test_an_acknowledged_start_that_became_another(world: World, key: str) -> None:
    world.workloads["a"][key] = "else"
    assert len(world.look()) == 1


def test_a_forgotten_removal(world: World) -> None:
    world.held["a"] = Promise(ABSENT, 2)
    assert world.look() == [
        "a is running, although its DELETE was acknowledged",
        "the container of a is there, although its DELETE was acknowledged",
    ]


@pytest.mark.parametrize("told", [None, {**RUNS, "state": "exited"}, {**RUNS, "state": "failed"}])
def test_a_lease_of_nobody_may_last_a_cycle(world: World, told: dict[str, Any] | None) -> None:
    world.workloads["b"] = told
    world.leases.append(lease(1, "b"))
    assert len(world.lasting()) == 1


def test_a_lease_without_any_container_may_last_a_cycle(world: World) -> None:
    world.workloads["b"] = {**RUNS, "name": "b", "state": "pending"}
    world.leases.append(lease(1, "b"))
    assert world.lasting() == ["for longer than a cycle, NPU 1 is leased to b, which has no container (agent of one)"]


def test_another_agent_has_a_cycle_of_its_own(world: World) -> None:
    world.leases.append(lease(1, "b"))
    assert world.look(0) == []
    world.life = "two"
    assert world.look(9) == []
    assert world.look(18) != []


def test_what_a_request_touches_is_not_judged(world: World) -> None:
    world.leases.append(lease(1, "b"))
    world.moving = {"b"}
    assert world.lasting() == []


def test_a_container_without_its_lease_may_last_a_cycle(world: World) -> None:
    world.leases.clear()
    assert world.lasting() == [
        "for longer than a cycle, npufleet-a uses NPU 0, which is leased to nobody (agent of one)"
    ]


def test_a_container_without_a_record_may_last_a_cycle(world: World) -> None:
    world.workloads.clear()
    world.held.clear()
    world.leases.clear()
    assert len(world.lasting()) == 2


def test_a_workload_that_is_told_to_run_and_does_not(world: World) -> None:
    world.containers["A"]["state"] = "exited"
    assert world.lasting() == ["for longer than a cycle, a is told to run, and Docker does not run it (agent of one)"]


class Agent:
    """Answers as it is told; an exception is no answer."""

    def __init__(self) -> None:
        self.answer: Any = None

    def api(self, method: str, path: str, **options: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        status = self.answer
        return SimpleNamespace(status_code=status, json=lambda: dict(RUNS))


def state_after(*steps: tuple[str, Any]) -> tuple[str, list[str]]:
    agent, ledger = Agent(), Ledger()
    for method, agent.answer in steps:
        ask = ledger.put if method == "PUT" else ledger.delete
        ask(agent, "a")  # type: ignore[arg-type]  # of a node, only api() is used
    return ledger.promises()["a"].state, ledger.broken


REFUSED = requests.ConnectionError(MaxRetryError(HTTPSConnectionPool("x"), "/", NewConnectionError(None, "refused")))  # type: ignore[arg-type]  # of what it was, nobody asks
CUT = requests.ConnectionError("cut")


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([("PUT", 201)], PRESENT),
        ([("PUT", 409)], ABSENT),
        ([("PUT", 503)], UNCERTAIN),
        ([("PUT", CUT)], UNCERTAIN),
        ([("PUT", REFUSED)], ABSENT),
        ([("PUT", 201), ("PUT", CUT)], PRESENT),
        ([("PUT", 201), ("PUT", 409)], PRESENT),
        ([("PUT", 201), ("DELETE", REFUSED)], PRESENT),
        ([("PUT", 201), ("DELETE", CUT)], UNCERTAIN),
        ([("PUT", 201), ("DELETE", 503)], UNCERTAIN),
        ([("PUT", 201), ("DELETE", CUT), ("DELETE", 404)], ABSENT),
        ([("PUT", 201), ("DELETE", 200)], ABSENT),
    ],
)
def test_what_an_answer_promises(steps: list[tuple[str, Any]], state: str) -> None:
    assert state_after(*steps) == (state, [])


@pytest.mark.parametrize("steps", [[("PUT", 201), ("PUT", 201)], [("PUT", 201), ("DELETE", 404)]])
def test_an_answer_that_forgets_an_earlier_one(steps: list[tuple[str, Any]]) -> None:
    assert len(state_after(*steps)[1]) == 1
