from __future__ import annotations

from typing import Any

import pytest

from npu_agent import api, engine, store
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, npus, spec


def begin(bench: Bench, mode: str, deadline_s: int | None = None, owner: str = "rollout-7") -> None:
    bench.workloads.drain.put(owner, "upgrade", mode, deadline_s)


def told(bench: Bench, **holders: Any) -> api.Drain:
    return bench.workloads.drain.told([api.Npu(n.npu, holder=holders.get(f"n{n.npu}")) for n in npus()])


def test_immediate_stops_with_grace_and_keeps_the_logs(bench: Bench) -> None:
    bench.workloads.put("job", spec(stop_grace_s=7, restart="always"))
    begin(bench, api.DRAIN_IMMEDIATE)
    assert (told(bench).state, told(bench).waiting_for) == ("draining", ["workload job"])
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.reason, found.exit_code) == ("exited", "stopped: the node is drained by rollout-7", 143)
    assert "stop 7" in bench.engine.calls
    assert (bench.leased(), len(bench.engine.documents), told(bench).state) == ({}, 1, "drained")
    bench.cycle()
    assert bench.engine.running == []


def test_allow_completion_waits_and_restarts_nothing(bench: Bench) -> None:
    container = bench.workloads.put("job", spec(restart="always"))[0].container_id
    begin(bench, api.DRAIN_ALLOW_COMPLETION, 60)
    bench.cycle()
    assert (told(bench).state, told(bench).remaining_s) == ("draining", 60)
    bench.clock.at_s += 60
    bench.cycle()
    assert (told(bench).state, bench.engine.running) == ("overdue", ["npufleet-job"])
    assert container
    bench.engine.finish(container, 1)
    bench.cycle()
    assert told(bench).state == "drained"
    assert "not restarted, because rollout-7 drains the node" in bench.workloads.get("job").reason


def test_delete_after_timeout_stops_at_the_deadline_and_not_before(bench: Bench) -> None:
    bench.workloads.put("job", spec())
    begin(bench, api.DRAIN_DELETE_AFTER_TIMEOUT, 60)
    bench.clock.at_s += 59
    bench.restart()
    bench.cycle()
    assert bench.engine.running == ["npufleet-job"]
    bench.clock.at_s += 1
    bench.cycle()
    assert (bench.engine.running, told(bench).state) == ([], "drained")


def test_after_a_reboot_the_deadline_begins_anew(bench: Bench) -> None:
    bench.workloads.put("job", spec())
    begin(bench, api.DRAIN_DELETE_AFTER_TIMEOUT, 60)
    bench.clock.boot_id, bench.clock.at_s = "boot-2", 5000.0
    bench.restart()
    bench.cycle()
    assert bench.engine.running == ["npufleet-job"]
    bench.clock.at_s += 60
    bench.cycle()
    assert bench.engine.running == []


def test_immediate_cancels_reservations_and_others_wait_for_them(bench: Bench) -> None:
    bench.workloads.reserve("r", {"npus": 1, "ttl_s": 600})
    begin(bench, api.DRAIN_ALLOW_COMPLETION)
    bench.cycle()
    assert told(bench).waiting_for == ["reservation r"]
    begin(bench, api.DRAIN_IMMEDIATE)
    bench.cycle()
    assert told(bench).state == "drained"


def test_a_foreign_holder_is_named_and_not_touched(bench: Bench) -> None:
    begin(bench, api.DRAIN_IMMEDIATE)
    found = told(bench, n2=api.Holder("container", "vllm"), n3=api.Holder("container", "vllm"))
    assert (found.state, found.waiting_for) == ("draining", ["container vllm"])


def test_it_cordons_and_the_owners_uncordon_ends_it(bench: Bench) -> None:
    begin(bench, api.DRAIN_ALLOW_COMPLETION)
    assert bench.workloads.cordons.told().cordoned
    with pytest.raises(ProblemError) as caught:
        begin(bench, api.DRAIN_IMMEDIATE, owner="bob")
    assert caught.value.problem.code == api.CODE_CORDON_OWNER
    with pytest.raises(ProblemError):
        bench.workloads.drain.cancel("bob")
    bench.workloads.uncordon("rollout-7")
    assert (told(bench).state, bench.workloads.cordons.told().cordoned) == ("none", False)


def test_cancel_leaves_the_cordon(bench: Bench) -> None:
    begin(bench, api.DRAIN_ALLOW_COMPLETION)
    assert bench.workloads.drain.cancel("bob", force=True)
    assert not bench.workloads.drain.cancel("bob")
    assert (told(bench).state, bench.workloads.cordons.told().cordoned) == ("none", True)


def test_a_deadline_is_needed_where_it_decides(bench: Bench) -> None:
    with pytest.raises(ProblemError) as caught:
        begin(bench, api.DRAIN_DELETE_AFTER_TIMEOUT)
    assert caught.value.problem.field == "deadline_s"


def test_what_was_stopped_can_be_started_again(bench: Bench) -> None:
    first = bench.workloads.put("job", spec(npus=[2]))[0]
    begin(bench, api.DRAIN_IMMEDIATE)
    bench.cycle()
    with pytest.raises(ProblemError) as caught:
        bench.workloads.restart("job")
    assert caught.value.problem.code == api.CODE_CORDONED
    bench.workloads.uncordon("rollout-7")
    again = bench.workloads.restart("job")
    assert (again.state, again.container_id, bench.leased()) == ("running", first.container_id, {2: "job"})


def test_a_removal_under_way_stays_one(bench: Bench) -> None:
    bench.workloads.put("job", spec())

    def before(operation: str) -> None:
        if operation == "remove":
            raise engine.RefusedError("did not receive an exit event")

    bench.engine.before = before
    with pytest.raises(ProblemError):
        bench.workloads.delete("job", 0)
    bench.workloads.stop("job", "stopped: the node is drained")
    assert bench.store.records()[0].phase == store.REMOVING
    assert told(bench).state == "none"
