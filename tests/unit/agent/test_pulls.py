from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from npu_agent import api, engine, pulls
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, assert_waits_until_healthy, spec

EVENTS: list[dict[str, Any]] = [
    {"status": "Pulling from ours/a", "id": "1"},
    {"status": "Downloading", "id": "l1", "progressDetail": {"current": 1 << 30, "total": 3 << 30}},
    {"status": "Downloading", "id": "l2", "progressDetail": {"current": 0, "total": 1 << 30}},
    {"status": "Download complete", "id": "l2"},
]


class Queue(list[Callable[[], None]]):
    """Threads that run when the test says so."""

    def run(self) -> None:
        while self:
            self.pop(0)()


@pytest.fixture
def queue(bench: Bench) -> Queue:
    made = Queue()
    bench.workloads.pulls = pulls.Pulls(bench.engine, made.append, lambda _seconds: None)
    return made


def put(bench: Bench) -> Any:
    return bench.workloads.put("job", spec(image="ours/a:1", pull="missing"))[0]


def test_a_missing_image_is_brought_and_the_npus_are_kept_meanwhile(bench: Bench, queue: Queue) -> None:
    workload = put(bench)
    assert (workload.state, workload.reason, bench.leased()) == ("pending", "its image is being pulled", {0: "job"})
    queue.run()
    assert (bench.workloads.get("job").state, bench.engine.running) == ("running", ["npufleet-job"])


def test_progress_is_told_in_per_cent(bench: Bench, queue: Queue) -> None:
    bench.engine.pull_events = EVENTS
    layers: dict[str, tuple[int, int]] = {}
    for event in EVENTS:
        pulls.note(layers, event)
    assert pulls.sentence(layers) == "its image is being pulled: 50 % of 4g in the layers begun"
    put(bench)
    bench.engine.before = lambda operation: bench.cycle() if operation == "pull" else None
    queue.run()
    assert bench.engine.calls.count("pull") == 1


def test_without_leave_nothing_is_pulled(bench: Bench) -> None:
    with pytest.raises(ProblemError):
        bench.workloads.put("job", spec(image="ours/a:1"))
    assert "pull" not in bench.engine.calls


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(engine.DeniedError("pull access denied"), 1), (engine.NotFoundError("manifest unknown"), 1),
     (engine.RefusedError("unexpected EOF"), pulls.ATTEMPTS)],
)  # fmt: skip
def test_a_pull_that_fails_is_tried_again_where_that_can_help(
    bench: Bench, queue: Queue, error: Exception, attempts: int
) -> None:
    def before(operation: str) -> None:
        if operation == "pull":
            raise error

    bench.engine.before = before
    put(bench)
    queue.run()
    found = bench.workloads.get("job")
    assert (found.state, bench.leased(), bench.engine.calls.count("pull")) == ("failed", {}, attempts)
    assert str(error) in found.reason


def test_a_restart_of_the_agent_goes_on_with_it(bench: Bench, queue: Queue) -> None:
    put(bench)
    queue.clear()
    bench.restart()
    bench.workloads.pulls = pulls.Pulls(bench.engine, queue.append)
    bench.cycle()
    bench.cycle()
    assert len(queue) == 1
    queue.run()
    assert bench.workloads.get("job").state == "running"


def test_docker_away_in_a_pull_fails_nothing(bench: Bench, queue: Queue) -> None:
    def before(operation: str) -> None:
        if operation == "pull":
            raise engine.EngineUnreachableError("gone")

    bench.engine.before = before
    put(bench)
    queue.run()
    assert (bench.workloads.get("job").state, bench.leased()) == ("pending", {0: "job"})
    bench.engine.before = lambda _operation: None
    bench.cycle()
    queue.run()
    assert bench.workloads.get("job").state == "running"


def test_what_was_promised_is_not_forgotten_when_its_start_fails(bench: Bench, queue: Queue) -> None:
    def before(operation: str) -> None:
        if operation == "start":
            raise engine.RefusedError("no such device")

    bench.engine.before = before
    put(bench)
    queue.run()
    found = bench.workloads.get("job")
    assert (found.state, found.reason) == ("failed", "Docker refused to start it: no such device")
    assert (bench.leased(), bench.engine.documents) == ({}, {})


def test_an_npu_that_fell_ill_meanwhile_is_waited_for(bench: Bench, queue: Queue) -> None:
    put(bench)
    bench.ill(0, api.UNHEALTHY, "npu-smi reports Alarm")
    queue.run()
    assert_waits_until_healthy(bench)


def test_an_npu_that_somebody_took_meanwhile_is_left_to_him(bench: Bench, queue: Queue) -> None:
    put(bench)
    host = {"HostConfig": {"Devices": [{"PathOnHost": "/dev/davinci0"}]}}
    bench.engine.add("vllm", host, running=True)
    queue.run()
    found = bench.workloads.get("job")
    assert (found.state, bench.leased(), bench.engine.running) == ("failed", {}, ["vllm"])
    assert found.reason == "NPU 0 was taken by container vllm while its image was pulled"


def test_a_delete_ends_it(bench: Bench, queue: Queue) -> None:
    put(bench)
    bench.workloads.delete("job")
    queue.run()
    assert (bench.leased(), bench.engine.documents, bench.workloads.all()) == ({}, {}, [])
