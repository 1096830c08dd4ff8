from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest

from npu_agent import api, engine, store, workloads
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, FakeProcess, FakeSeen, npus, spec
from unit.agent.fake_engine import undisturbed


def refusal(bench: Bench, **changes: Any) -> api.Problem:
    wanted = spec(**changes)
    with pytest.raises(ProblemError) as caught:
        bench.workloads.put(wanted["name"], wanted)
    return caught.value.problem


def put(bench: Bench, name: str = "job", **changes: Any) -> api.Workload:
    return bench.workloads.put(name, spec(name, **changes))[0]


def fail_at(bench: Bench, operation: str, error: Exception) -> None:
    def before(current: str) -> None:
        if current.startswith(operation):
            raise error

    bench.engine.before = before


def test_a_put_starts_one_container_and_leases_its_npus(bench: Bench) -> None:
    workload, created = bench.workloads.put("job", spec(npus=[4, 5]))
    assert created
    assert (workload.state, workload.npus, workload.started_at) == ("running", [4, 5], "2026-01-02T03:04:05Z")
    assert bench.engine.running == ["npufleet-job"]
    assert bench.leased() == {4: "job", 5: "job"}
    assert [lease.state for lease in bench.store.leases()] == ["held", "held"]


def test_the_same_put_again_changes_nothing(bench: Bench) -> None:
    put(bench)
    again, created = bench.workloads.put("job", spec())
    assert not created
    assert again.state == "running"
    assert bench.engine.calls.count("create") == 1


def test_another_spec_under_the_same_name_is_refused(bench: Bench) -> None:
    put(bench)
    problem = refusal(bench, npus=2)
    assert (problem.status, problem.code) == (409, api.CODE_WORKLOAD_EXISTS)
    assert bench.leased() == {0: "job"}


def test_a_held_npu_is_refused_with_its_holders_name(bench: Bench) -> None:
    first = put(bench, "first", npus=[3])
    problem = refusal(bench, name="second", npus=[3])
    assert (problem.status, problem.code, problem.npu) == (409, api.CODE_NPU_HELD, 3)
    assert problem.holder == api.Holder("workload", "first", first.container_id, since=first.started_at)
    assert bench.engine.running == ["npufleet-first"]


def test_a_foreign_container_that_came_a_moment_ago_is_seen(bench: Bench) -> None:
    bench.engine.add("vllm", {"HostConfig": {"Devices": [{"PathOnHost": "/dev/davinci3"}]}}, running=True)
    problem = refusal(bench, npus=[3])
    assert (problem.code, problem.holder and problem.holder.name) == (api.CODE_NPU_HELD, "vllm")
    assert put(bench, npus=4).npus == [0, 1, 2, 4]


def test_a_host_process_blocks_its_npu(bench: Bench) -> None:
    bench.seen = FakeSeen(npus(), processes=(FakeProcess(2, 4194300, "python"),))
    problem = refusal(bench, npus=[2])
    assert problem.holder == api.Holder("process", "python", pid=4194300)


def test_the_process_that_has_just_ended_does_not_block(bench: Bench) -> None:
    put(bench, npus=[2])
    bench.workloads.delete("job")
    bench.seen = FakeSeen(npus(), processes=(FakeProcess(2, 4194300, "python"),), observed_monotonic=0.0)
    assert put(bench, npus=[2]).state == "running"


def test_an_unhealthy_npu_is_not_given(bench: Bench) -> None:
    bench.ill(3, api.UNHEALTHY, "npu-smi reports Alarm")
    problem = refusal(bench, npus=[3])
    assert (problem.status, problem.code) == (503, api.CODE_NPU_UNHEALTHY)
    assert "Alarm" in problem.detail


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"image": "none:1"}, api.CODE_IMAGE_MISSING),
        ({"env": {"ASCEND_VISIBLE_DEVICES": "1"}}, api.GUARD_ENV),
        ({"resources": {"shm": "1m"}}, api.GUARD_SHM),
        ({"mounts": [{"source": "/data", "target": "/home/ma-user"}]}, api.GUARD_HOME),
        ({"nups": 1}, api.CODE_INVALID_SPEC),
    ],
)
def test_what_a_guard_refuses_leaves_no_trace(bench: Bench, changes: dict[str, Any], code: str) -> None:
    assert refusal(bench, **changes).code == code
    assert (bench.leased(), bench.store.records(), bench.workloads.all()) == ({}, [], [])
    assert "create" not in bench.engine.calls


def test_without_docker_nothing_is_accepted(bench: Bench) -> None:
    fail_at(bench, "containers", engine.EngineUnreachableError("refused"))
    assert refusal(bench).code == api.CODE_DOCKER
    assert bench.leased() == {}


@pytest.mark.parametrize("operation", ["create", "start"])
def test_a_start_that_docker_refuses_is_undone(bench: Bench, operation: str) -> None:
    fail_at(bench, operation, engine.RefusedError("no such device"))
    problem = refusal(bench)
    assert (problem.status, problem.code) == (422, api.CODE_DOCKER_REFUSED)
    assert "no such device" in problem.detail
    assert (bench.leased(), bench.engine.documents, bench.workloads.all()) == ({}, {}, [])


def test_docker_lost_in_the_middle_keeps_the_lease_until_the_container_is_surely_gone(bench: Bench) -> None:
    def before(current: str) -> None:
        if current in {"start", "inspect", "remove"}:
            raise engine.EngineUnreachableError("gone")

    bench.engine.before = before
    assert refusal(bench).code == api.CODE_DOCKER
    assert bench.leased() == {0: "job"}
    bench.engine.before = undisturbed
    bench.cycle()
    assert (bench.leased(), bench.engine.documents, bench.workloads.all()) == ({}, {}, [])


def test_a_foreign_container_with_our_name_is_not_touched(bench: Bench) -> None:
    bench.engine.add("npufleet-job", {}, running=True)
    assert refusal(bench).status == 409
    assert bench.engine.running == ["npufleet-job"]
    assert bench.leased() == {}


def test_delete_stops_removes_and_then_releases(bench: Bench) -> None:
    put(bench, stop_grace_s=7)
    bench.engine.calls.clear()
    seen_leases: list[dict[int, str]] = []
    bench.engine.before = lambda _operation: seen_leases.append(bench.leased())
    removed = bench.workloads.delete("job")
    assert removed.state == "removed"
    assert bench.engine.calls == ["inspect", "stop 7", "remove", "inspect"]
    assert all(leases == {0: "job"} for leases in seen_leases)
    assert (bench.leased(), bench.workloads.all(), bench.engine.documents) == ({}, [], {})


def test_delete_of_the_unknown_is_404(bench: Bench) -> None:
    with pytest.raises(ProblemError) as caught:
        bench.workloads.delete("none")
    assert caught.value.problem.status == 404


def test_a_container_that_does_not_go_keeps_its_lease(bench: Bench) -> None:
    put(bench)
    fail_at(bench, "remove", engine.RefusedError("did not receive an exit event"))
    with pytest.raises(ProblemError) as caught:
        bench.workloads.delete("job", 0)
    assert (caught.value.problem.status, bench.leased()) == (503, {0: "job"})
    assert refusal(bench).code == api.CODE_WORKLOAD_BUSY


def test_delete_with_docker_away_is_done_later(bench: Bench) -> None:
    put(bench)
    fail_at(bench, "inspect", engine.EngineUnreachableError("gone"))
    with pytest.raises(ProblemError, match="is on record"):
        bench.workloads.delete("job")
    bench.engine.before = undisturbed
    bench.restart()
    bench.cycle()
    assert (bench.leased(), bench.engine.documents) == ({}, {})


def test_one_of_many_clients_gets_the_npu(bench: Bench) -> None:
    outcomes: list[str] = []

    def client(index: int) -> None:
        try:
            put(bench, f"w{index}", npus=[5])
            outcomes.append("created")
        except ProblemError as error:
            outcomes.append(error.problem.code)

    threads = [threading.Thread(target=client, args=(index,)) for index in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["created"] + [api.CODE_NPU_HELD] * 63
    assert len(bench.engine.running) == 1


def test_the_same_put_from_many_clients_makes_one_container(bench: Bench) -> None:
    created: list[bool] = []
    threads = [
        threading.Thread(target=lambda: created.append(bench.workloads.put("job", spec())[1])) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [False] * 15 + [True]
    assert bench.engine.calls.count("create") == 1
    assert bench.workloads._locks == {}


def test_look_asks_docker_and_get_does_not(bench: Bench) -> None:
    workload = put(bench, command=["false"])
    assert workload.container_id
    bench.engine.finish(workload.container_id, 3)
    assert bench.workloads.get("job").state == "running"
    found = bench.workloads.look("job")
    assert (found.state, found.exit_code) == ("exited", 3)
    fail_at(bench, "inspect", engine.EngineUnreachableError("gone"))
    last = bench.workloads.look("job")
    assert (last.exit_code, last.reason) == (3, workloads.LAST_KNOWN)


def test_a_changed_policy_counts_for_the_next_workload(bench: Bench) -> None:
    bench.policy = dataclasses.replace(bench.policy, allowed_images=("other/*",))
    assert refusal(bench).code == api.GUARD_IMAGE


def test_a_failed_workload_is_revived_by_the_same_spec(bench: Bench) -> None:
    put(bench)
    bench.engine.documents.clear()
    bench.cycle()
    assert bench.workloads.get("job").state == "failed"
    workload, created = bench.workloads.put("job", spec())
    assert (workload.state, created) == ("running", True)
    assert bench.store.records()[0].phase == store.STARTED


@pytest.mark.parametrize("written", [0, 1])
def test_a_start_that_a_full_disk_interrupts_is_undone_and_not_resumed(bench: Bench, written: int) -> None:
    original, count = bench.store.save, 0

    def save(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count > written:
            raise ProblemError(503, api.CODE_STATE_WRITE, "disk full")
        return original(*arguments, **options)

    bench.store.save = save  # type: ignore[method-assign]  # the disk is full from here on
    assert (refusal(bench).status, bench.engine.documents) == (503, {})
    bench.cycle()
    assert bench.engine.documents == {}
    assert refusal(bench).code == api.CODE_WORKLOAD_BUSY, "what is being undone is not acknowledged"
    bench.store.save = original  # type: ignore[method-assign]  # there is room again
    bench.cycle()
    assert (bench.workloads.all(), bench.leased(), bench.engine.documents) == ([], {}, {})
    assert put(bench).state == "running"
