"""Containers of ours without a record, or that were started again by hand."""

from __future__ import annotations

from typing import Any

from npu_agent import api, store
from unit.agent.bench import Bench, spec
from unit.agent.crashes import Crash, killed, start

DAVINCI_0: dict[str, Any] = {"HostConfig": {"Devices": [{"PathOnHost": "/dev/davinci0"}]}}


def test_our_container_without_a_record_is_adopted(bench: Bench) -> None:
    start(bench, npus=[2, 3])
    bench.store.forget("job")
    bench.restart()
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.npus, bench.leased()) == ("running", [2, 3], {2: "job", 3: "job"})
    assert bench.workloads.put("job", spec(npus=[2, 3]))[1] is False
    assert bench.workloads.delete("job").state == "removed"


def test_a_container_started_again_by_hand_gets_free_npus_back(bench: Bench) -> None:
    container = start(bench)
    bench.engine.finish(container, 0)
    bench.cycle()
    bench.engine.start(container)
    bench.cycle()
    assert (bench.workloads.get("job").state, bench.leased()) == ("running", {0: "job"})
    assert bench.store.records()[0].phase == store.STARTED


def test_a_container_started_again_by_hand_does_not_take_anothers_lease(bench: Bench) -> None:
    container = start(bench)
    bench.engine.finish(container, 0)
    bench.cycle()
    bench.workloads.put("next", spec("next", npus=[0]))
    bench.engine.start(container)
    bench.cycle()
    assert bench.leased() == {0: "next"}


def test_what_runs_already_is_not_stopped_for_a_newcomer(bench: Bench) -> None:
    def save(*arguments: Any, **options: Any) -> Any:
        if arguments[0].phase == store.STARTED:
            raise Crash
        return original(*arguments, **options)

    original = bench.store.save
    bench.store.save = save  # type: ignore[method-assign]  # the power goes between Docker's start and the write
    killed(bench, lambda: bench.workloads.put("job", spec()))
    bench.engine.add("exporter", {"HostConfig": {"Privileged": True}}, running=True)
    bench.cycle()
    assert bench.engine.running == ["npufleet-job", "exporter"]
    assert (bench.workloads.get("job").state, bench.leased()) == ("running", {0: "job"})


def test_a_copy_made_from_a_workloads_image_is_not_the_workload(bench: Bench) -> None:
    # `docker commit` keeps the labels, and every container of that image has them.
    labels = {api.LABEL_WORKLOAD: "job"}
    copy = bench.engine.add("copy", {"Labels": labels, **DAVINCI_0}, running=True)
    bench.cycle()
    assert (bench.workloads.all(), bench.store.records()) == ([], [])
    start(bench, npus=[1])
    bench.engine.finish(copy, 3)
    bench.cycle()
    assert bench.workloads.get("job").state == "running"


def test_an_adopted_container_without_a_lease_can_be_removed(bench: Bench) -> None:
    start(bench)
    bench.store.forget("job")
    bench.store.reserve(store.Record("next", store.STARTED, "s", {"name": "next"}, {}, {}, [0]), store.LEASE_HELD)
    other = bench.engine.add("npufleet-next", {"Labels": {api.LABEL_WORKLOAD: "next"}, **DAVINCI_0}, running=True)
    bench.cycle()
    assert (bench.workloads.get("job").state, bench.leased()) == ("running", {0: "next"})
    bench.engine.finish(other, 0)
    bench.cycle()
    bench.cycle()
    assert bench.leased() == {0: "job"}
    assert bench.workloads.delete("job").state == "removed"


def test_an_adopted_container_that_never_gets_a_lease_can_be_removed(bench: Bench) -> None:
    start(bench)
    bench.store.forget("job")
    bench.store.reserve(store.Record("next", store.STARTED, "s", {"name": "next"}, {}, {}, [0]), store.LEASE_HELD)
    bench.engine.add("npufleet-next", {"Labels": {api.LABEL_WORKLOAD: "next"}, **DAVINCI_0}, running=True)
    bench.cycle()
    assert bench.workloads.delete("job").state == "removed"
    assert (bench.engine.running, bench.leased()) == (["npufleet-next"], {0: "next"})
