from __future__ import annotations

from typing import Any

import pytest

from npu_agent import api
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, spec


def refused(action: Any) -> api.Problem:
    with pytest.raises(ProblemError) as caught:
        action()
    return caught.value.problem


def test_a_cordoned_node_takes_no_new_work_and_says_whose_cordon_it_is(bench: Bench) -> None:
    bench.workloads.put("old", spec("old"))
    bench.workloads.cordons.put("rollout-7", "driver upgrade")
    problem = refused(lambda: bench.workloads.put("job", spec()))
    assert (problem.status, problem.code) == (409, api.CODE_CORDONED)
    assert "rollout-7 (driver upgrade)" in problem.detail
    assert refused(lambda: bench.workloads.reserve("r", {"npus": 1})).code == api.CODE_CORDONED
    assert bench.workloads.put("old", spec("old"))[1] is False
    assert bench.engine.running == ["npufleet-old"]


def test_only_its_owner_lifts_a_cordon_unless_it_is_forced(bench: Bench) -> None:
    cordons = bench.workloads.cordons
    cordons.put("alice", "")
    problem = refused(lambda: cordons.lift("rollout-7"))
    assert (problem.status, problem.code) == (409, api.CODE_CORDON_OWNER)
    cordons.put("rollout-7", "")
    assert cordons.lift("rollout-7")
    assert [c.owner for c in cordons.told().cordons] == ["alice"]
    assert cordons.told().cordoned
    assert cordons.lift("bob", force=True)
    assert cordons.told() == api.Cordons()
    assert not cordons.lift("bob")


def test_it_is_remembered(bench: Bench) -> None:
    assert bench.workloads.cordons.put("alice", "why")
    assert not bench.workloads.cordons.put("alice", "why")
    bench.restart()
    told = bench.workloads.cordons.told().cordons
    assert [(c.owner, c.reason, c.npu) for c in told] == [("alice", "why", None)]


def test_one_npu_can_be_cordoned(bench: Bench) -> None:
    bench.workloads.cordons.put("alice", "flaky", [3])
    assert not bench.workloads.cordons.told().cordoned
    problem = refused(lambda: bench.workloads.put("job", spec(npus=[3])))
    assert (problem.code, problem.npu) == (api.CODE_NPU_CORDONED, 3)
    assert bench.workloads.put("job", spec(npus=4))[0].npus == [0, 1, 2, 4]
    problem = refused(lambda: bench.workloads.put("more", spec("more", npus=4)))
    assert problem.code == api.CODE_NPU_HELD
    bench.workloads.delete("job")
    assert refused(lambda: bench.workloads.put("all", spec("all", npus="all"))).code == api.CODE_NPU_CORDONED
    assert refused(lambda: bench.workloads.put("eight", spec("eight", npus=8))).code == api.CODE_NPU_CORDONED
    bench.workloads.cordons.lift("alice", [3])
    assert bench.workloads.put("job", spec(npus=[3]))[1]


def test_a_reservation_that_was_made_before_is_kept(bench: Bench) -> None:
    bench.workloads.reserve("r", {"npus": 1})
    bench.workloads.cordons.put("alice", "")
    assert bench.workloads.put("job", spec(), "r")[1]


def test_changes_are_told(bench: Bench) -> None:
    bench.workloads.cordons.put("alice", "flaky", [3])
    bench.workloads.cordons.lift("alice", [3])
    assert bench.changes == [
        "cordoned: NPU 3 is cordoned by alice (flaky)",
        "uncordoned: alice lifts the cordon of NPU 3",
    ]
