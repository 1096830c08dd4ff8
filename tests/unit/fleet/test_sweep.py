from __future__ import annotations

import gc
import threading
import time

import requests

from npufleet.agent_client import AgentClient
from npufleet.agent_errors import GarbageError, UnreachableError
from npufleet.sweep import sweep
from npufleet.testing import MemoryAgent, Reply
from unit.fleet.samples import make_agent, make_facts, make_node

TOKENS = {"view": "v", "operate": "o"}


def clients_of(*agents: MemoryAgent) -> list[AgentClient]:
    return [AgentClient(make_node(f"lab-{n}"), agent, TOKENS) for n, agent in enumerate(agents, 1)]


def test_order_is_kept_and_each_failure_is_its_own_nodes_answer() -> None:
    clients = clients_of(
        make_agent(make_facts("lab-1")),
        make_agent(requests.ConnectTimeout()),
        make_agent({}),
        make_agent(make_facts("lab-4")),
    )
    answers = sweep(clients, AgentClient.node_facts)
    assert [answer.node.name for answer in answers] == ["lab-1", "lab-2", "lab-3", "lab-4"]
    assert [answer.value.node if answer.value else None for answer in answers] == ["lab-1", None, None, "lab-4"]
    assert isinstance(answers[1].problem, UnreachableError)


def test_nobody_asked_nothing_answered() -> None:
    assert sweep([], AgentClient.node_facts) == []


def test_mistake_in_the_call_is_that_nodes_answer() -> None:
    def call(client: AgentClient) -> int:
        return 1 // (client.node.name != "lab-1")

    first, second = sweep(clients_of(make_agent({}), make_agent({})), call)
    assert isinstance(first.problem, GarbageError)
    assert "ZeroDivisionError" in first.problem.failure.message
    assert second.value == 1


def test_nodes_are_asked_at_the_same_time() -> None:
    together = threading.Barrier(8, timeout=5)

    def meet(_request: requests.PreparedRequest) -> Reply:
        together.wait()  # breaks unless all eight are under way
        return Reply(make_facts().node.to_dict())

    answers = sweep(clients_of(*[MemoryAgent({"GET /v1/node": meet}) for _ in range(8)]), AgentClient.node_facts)
    assert all(answer.value for answer in answers)


def test_one_that_never_ends_costs_its_deadline_and_its_worker_is_replaced() -> None:
    release = threading.Event()

    def hang(_request: requests.PreparedRequest) -> Reply:
        release.wait(10)
        return Reply({})

    clients = clients_of(MemoryAgent({"GET /v1/node": hang}), make_agent(make_facts()), make_agent(make_facts()))
    started = time.monotonic()
    hanging, *fine = sweep(clients, AgentClient.node_facts, workers=1, deadline_s=0.3)
    took = time.monotonic() - started
    release.set()
    assert isinstance(hanging.problem, UnreachableError)
    assert all(answer.value for answer in fine)
    assert took < 5


def test_many_that_wait_cost_the_wait_once() -> None:
    """Ten workers' worth of silent nodes in front of two workers: as long as one of them, not five in a row."""

    def wait(_request: requests.PreparedRequest) -> Reply:
        time.sleep(0.8)
        return Reply(error=requests.ReadTimeout())

    clients = clients_of(*[MemoryAgent({"GET /v1/node": wait}) for _ in range(10)], make_agent(make_facts()))
    started = time.monotonic()
    answers = sweep(clients, AgentClient.node_facts, workers=2)
    assert time.monotonic() - started < 2.4
    assert [answer.value is None for answer in answers] == [True] * 10 + [False]


def test_the_collector_rests_during_a_sweep_and_works_after_it() -> None:
    answers = sweep(clients_of(make_agent({})), lambda _: gc.isenabled())
    assert [answer.value for answer in answers] == [False]
    assert gc.isenabled()
