from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from npu_agent import api, engine, store
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, FakeSeen, assert_waits_until_healthy, npus, spec
from unit.agent.crashes import Crash, crash_at, killed, start

DAVINCI_0: dict[str, Any] = {"HostConfig": {"Devices": [{"PathOnHost": "/dev/davinci0"}]}}


@pytest.mark.parametrize("operation", ["create", "start"])
def test_a_start_that_a_crash_interrupted_is_finished_once(bench: Bench, operation: str) -> None:
    crash_at(bench, operation)
    killed(bench, lambda: bench.workloads.put("job", spec()))
    assert bench.workloads.get("job").state == "pending"
    bench.cycle()
    assert bench.workloads.get("job").state == "running"
    assert bench.engine.running == ["npufleet-job"]
    assert bench.leased() == {0: "job"}
    bench.cycle()
    assert bench.engine.calls.count("start") == (1 if operation == "create" else 2)


def test_a_container_made_just_before_the_crash_is_taken_not_doubled(bench: Bench) -> None:
    def save(*arguments: Any, **options: Any) -> Any:
        raise Crash

    bench.store.save = save  # type: ignore[method-assign]  # the power goes between Docker's answer and the write
    killed(bench, lambda: bench.workloads.put("job", spec()))
    assert len(bench.engine.documents) == 1
    bench.cycle()
    assert bench.engine.running == ["npufleet-job"]


def test_an_npu_that_somebody_took_meanwhile_is_left_to_him(bench: Bench) -> None:
    crash_at(bench, "create")
    killed(bench, lambda: bench.workloads.put("job", spec()))
    bench.engine.add("vllm", DAVINCI_0, running=True)
    bench.cycle()
    assert bench.engine.running == ["vllm"]
    found = bench.workloads.get("job")
    assert (bench.leased(), found.state) == ({}, "failed")
    assert found.reason == "NPU 0 was taken by container vllm before it could be started"


def test_an_interrupted_start_waits_for_an_npu_that_fell_ill_meanwhile(bench: Bench) -> None:
    crash_at(bench, "create")
    killed(bench, lambda: bench.workloads.put("job", spec()))
    bench.seen = FakeSeen(npus(), complete=False)
    bench.cycle()
    assert bench.workloads.get("job").reason == "its start waits: there is no complete probe of the NPUs"
    bench.ill(0, api.UNHEALTHY, "npu-smi reports Alarm")
    assert_waits_until_healthy(bench)


def test_a_resumed_start_that_docker_refuses_is_told_as_failed(bench: Bench) -> None:
    crash_at(bench, "start")
    killed(bench, lambda: bench.workloads.put("job", spec()))

    def before(operation: str) -> None:
        if operation == "start":
            raise engine.RefusedError("no such device")

    bench.engine.before = before
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, bench.leased(), bench.engine.documents) == ("failed", {}, {})
    assert "no such device" in found.reason


@pytest.mark.parametrize("operation", ["stop", "remove"])
def test_a_removal_that_a_crash_interrupted_is_finished(bench: Bench, operation: str) -> None:
    start(bench)
    crash_at(bench, operation)
    killed(bench, lambda: bench.workloads.delete("job"))
    assert bench.leased() == {0: "job"}
    bench.cycle()
    assert (bench.engine.documents, bench.leased(), bench.workloads.all()) == ({}, {}, [])


def test_a_restart_of_the_agent_touches_no_container(bench: Bench) -> None:
    start(bench)
    bench.engine.calls.clear()
    bench.restart()
    bench.cycle()
    assert {call.split()[0] for call in bench.engine.calls} == {"containers", "logs"}
    assert (bench.workloads.get("job").state, bench.leased()) == ("running", {0: "job"})


def test_what_ended_for_good_gives_its_npus_back_and_keeps_its_story(bench: Bench) -> None:
    container = start(bench)
    bench.engine.finish(container, 3)
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.exit_code, bench.leased()) == ("exited", 3, {})
    bench.engine.documents.clear()
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.exit_code, found.finished_at) == ("exited", 3, "2026-01-02T03:05:05Z")


def test_what_an_older_agent_left_to_docker_keeps_its_npus(bench: Bench) -> None:
    labels = {api.LABEL_WORKLOAD: "job", api.LABEL_NPUS: "0"}
    host = {"Devices": [{"PathOnHost": "/dev/davinci0"}], "RestartPolicy": {"Name": "unless-stopped"}}
    container = bench.engine.add("npufleet-job", {"Labels": labels, "HostConfig": host}, running=True)
    bench.cycle()
    bench.engine.finish(container, 137)
    bench.cycle()
    assert (bench.workloads.get("job").state, bench.leased()) == ("exited", {0: "job"})
    assert "start" not in bench.engine.calls


def test_what_ended_is_started_again_after_its_backoff(bench: Bench) -> None:
    container = start(bench, restart="always")
    bench.engine.finish(container, 137)
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.reason) == (
        "pending",
        "it ended with exit code 137: it was killed (signal 9); restart 1 follows after 10 s",
    )
    bench.restart()
    bench.cycle()
    assert (bench.engine.running, bench.leased()) == ([], {0: "job"})
    bench.clock.at_s += 10
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.restarts, found.container_id) == ("running", 1, container)
    assert bench.engine.calls.count("create") == 1


def test_the_restart_budget_survives_the_agent_and_ends_for_good(bench: Bench) -> None:
    container = start(bench, restart={"policy": "on-failure", "budget": 2, "backoff_s": 1})
    for _ in range(3):
        bench.engine.finish(container, 1)
        bench.restart()
        bench.cycle()
        bench.clock.at_s += 5
        bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.restarts, bench.leased()) == ("exited", 2, {})
    assert found.reason == "it ended with exit code 1; its restart budget is spent"


def test_a_success_is_no_failure(bench: Bench) -> None:
    container = start(bench, restart="on-failure")
    bench.engine.finish(container, 0)
    bench.cycle()
    assert (bench.workloads.get("job").state, bench.leased()) == ("exited", {})


def test_no_restart_on_an_npu_that_fell_ill_or_is_used_by_others(bench: Bench) -> None:
    container = start(bench, restart="always")
    bench.engine.finish(container, 1)
    bench.cycle()
    bench.clock.at_s += 10
    bench.ill(0, api.UNHEALTHY, "npu-smi reports Alarm")
    bench.cycle()
    assert "waits: NPU 0 is unhealthy: npu-smi reports Alarm" in bench.workloads.get("job").reason
    bench.seen = FakeSeen(npus())
    stranger = bench.engine.add("x", {"HostConfig": {"Devices": [{"PathOnHost": "/dev/davinci0"}]}}, running=True)
    bench.cycle()
    assert "waits: NPU 0 is used by container x" in bench.workloads.get("job").reason
    bench.engine.remove(stranger)
    bench.cycle()
    assert bench.workloads.get("job").state == "running"


def test_a_restart_that_docker_refuses_is_tried_again_until_the_budget_is_spent(bench: Bench) -> None:
    container = start(bench, restart={"policy": "always", "budget": 2, "backoff_s": 0})
    bench.engine.finish(container, 1)

    def before(operation: str) -> None:
        if operation == "start":
            raise engine.RefusedError("no such device")

    bench.engine.before = before
    for _ in range(3):
        bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, bench.leased()) == ("exited", {})
    assert "Docker refused to restart it: no such device; its restart budget is spent" in found.reason


def test_a_crash_between_a_restart_and_its_record_starts_nothing_twice(bench: Bench) -> None:
    container = start(bench, restart="always")
    bench.engine.finish(container, 1)
    bench.cycle()
    bench.engine.start(container)
    bench.restart()
    bench.clock.at_s += 60
    bench.cycle()
    record = bench.store.records()[0]
    assert (record.restart_due, record.restarts, bench.workloads.get("job").state) == (None, 1, "running")


def test_a_removal_that_a_crash_interrupted_keeps_the_grace_that_was_asked(bench: Bench) -> None:
    start(bench, stop_grace_s=30)
    crash_at(bench, "stop")
    killed(bench, lambda: bench.workloads.delete("job", 2))
    bench.engine.calls.clear()
    bench.cycle()
    assert "stop 2" in bench.engine.calls
    assert bench.leased() == {}


def test_a_container_removed_by_hand_is_told_and_its_npus_are_free(bench: Bench) -> None:
    start(bench)
    bench.engine.documents.clear()
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, bench.leased()) == ("failed", {})
    assert "removed without the agent" in found.reason


def test_a_list_that_is_older_than_a_start_releases_nothing(bench: Bench) -> None:
    before = bench.engine.containers()
    start(bench)
    bench.reconciler.run(before)
    assert (bench.workloads.get("job").state, bench.leased()) == ("running", {0: "job"})


def test_docker_away_releases_nothing(bench: Bench) -> None:
    start(bench)
    listed = bench.engine.containers()
    bench.engine.documents.clear()

    def before(operation: str) -> None:
        raise engine.EngineUnreachableError(operation)

    bench.engine.before = before
    bench.reconciler.run([])
    bench.reconciler.run(listed)
    assert bench.leased() == {0: "job"}


def test_a_workload_under_change_is_left_alone(bench: Bench) -> None:
    start(bench)
    bench.engine.documents.clear()
    with bench.workloads.locked("job"):
        bench.reconciler.run([])
    assert bench.leased() == {0: "job"}


def test_one_workloads_trouble_does_not_stop_the_others(bench: Bench) -> None:
    start(bench)
    bench.workloads.put("other", spec("other"))
    listed = [c for c in bench.engine.containers() if c.name != "npufleet-job"]
    other = next(c for c in listed if c.name == "npufleet-other")
    bench.engine.finish(other.id, 0)
    original = bench.workloads.lifecycle.find

    def find(record: store.Record) -> Any:
        if record.name == "job":
            raise ProblemError(503, api.CODE_STATE_WRITE, "disk full")
        return original(record)

    bench.workloads.lifecycle.find = find  # type: ignore[method-assign]  # the first one's trouble
    bench.reconciler.run([dataclasses.replace(other, state="exited", exit_code=0)])
    assert bench.workloads.get("other").state == "exited"


def test_a_record_that_was_read_before_the_removal_does_not_come_back(bench: Bench) -> None:
    start(bench)
    listed = bench.engine.containers()
    records = bench.store.records()
    bench.workloads.delete("job")
    bench.store.records = lambda: records  # type: ignore[method-assign]  # the cycle had read them just before
    bench.reconciler.run(listed)
    assert bench.workloads.all() == []


def test_a_removal_under_way_is_told(bench: Bench) -> None:
    start(bench)
    listed = bench.engine.containers()

    def before(operation: str) -> None:
        raise engine.RefusedError("did not receive an exit event")

    bench.engine.before = before
    with pytest.raises(ProblemError):
        bench.workloads.delete("job")
    bench.reconciler.run(listed)
    assert (bench.workloads.get("job").state, bench.workloads.get("job").reason) == ("running", "being removed")
