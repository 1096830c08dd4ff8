from __future__ import annotations

import pytest

from npu_agent import api, intake, store
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, FakeSeen, npus, spec


@pytest.mark.parametrize(("asked", "fitting"), [(2, True), (1, False), ([5, 4], True), ([4], False), ("all", False)])
def test_what_is_asked_is_what_was_reserved(asked: object, fitting: bool) -> None:  # a table
    assert intake.fits(api.Reservation("r", [4, 5]), asked) is fitting


def test_a_profiles_number_is_taken_and_its_ceiling_noted(bench: Bench) -> None:
    bench.seen = FakeSeen(npus(4))
    document = {"name": "job", "image": "img:1", "profile": "aigc-finetune"}
    found = bench.workloads.put("job", document)[0]
    assert found.npus == [0, 1, 2, 3]
    assert found.notes[0] == "profile aigc-finetune asks 8 NPUs; this node gives all its 4"


def test_all_of_the_node_may_be_reserved_and_used_by_a_profile(bench: Bench) -> None:
    bench.workloads.reserve("r", {"npus": "all"})
    found = bench.workloads.put("job", {"name": "job", "image": "img:1", "profile": "train"}, "r")[0]
    assert found.npus == list(range(8))


def test_what_ended_can_be_started_again_only_on_free_npus(bench: Bench) -> None:
    first = bench.workloads.put("job", spec(npus=[3]))[0]
    bench.engine.finish(first.container_id or "", 0)
    bench.cycle()
    bench.workloads.put("other", spec("other", npus=[3]))
    with pytest.raises(ProblemError) as caught:
        bench.workloads.restart("job")
    assert caught.value.problem.code == api.CODE_NPU_HELD
    bench.workloads.delete("other")
    assert bench.workloads.restart("job").state == "running"
    assert bench.leased() == {3: "job"}


def test_a_restart_on_request_stops_what_runs_first(bench: Bench) -> None:
    first = bench.workloads.put("job", spec(stop_grace_s=3))[0]
    again = bench.workloads.restart("job")
    assert (again.container_id, again.state, again.restarts) == (first.container_id, "running", 0)
    assert "stop 3" in bench.engine.calls
    assert [record.phase for record in bench.store.records()] == [store.STARTED]


STRANGER = {"HostConfig": {"Devices": [{"PathOnHost": "/dev/davinci0"}]}}


def test_a_restart_on_request_starts_nothing_on_an_npu_that_somebody_took(bench: Bench) -> None:
    first = bench.workloads.put("job", spec(restart="always"))[0]
    bench.engine.finish(first.container_id or "", 1)  # its lease is kept: it will be restarted
    stranger = bench.engine.add("stranger", STRANGER, running=True)
    with pytest.raises(ProblemError, match="NPU 0 is used by container stranger") as caught:
        bench.workloads.restart("job")
    assert (caught.value.problem.status, caught.value.problem.code) == (409, api.CODE_NPU_HELD)
    assert bench.engine.running == ["stranger"]
    bench.engine.remove(stranger)
    assert bench.workloads.restart("job").state == "running"


def test_what_runs_on_an_npu_that_fell_ill_may_be_restarted_and_what_ended_may_not(bench: Bench) -> None:
    first = bench.workloads.put("job", spec(restart="always"))[0]
    bench.ill(0, api.UNHEALTHY, "npu-smi reports Alarm")
    assert bench.workloads.restart("job").state == "running"
    bench.engine.finish(first.container_id or "", 1)
    with pytest.raises(ProblemError, match="NPU 0 is unhealthy") as caught:
        bench.workloads.restart("job")
    assert caught.value.problem.code == api.CODE_NPU_UNHEALTHY
    assert bench.engine.running == []


def test_the_names_of_the_changes_are_told(bench: Bench) -> None:
    bench.workloads.put("job", spec())
    bench.workloads.delete("job")
    assert [words.split(":")[0] for words in bench.changes] == ["started", "removed"]
