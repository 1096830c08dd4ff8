from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest
import requests

from npu_agent import api
from npufleet.errors import JobError, NpufleetError, PlacementError, UsageError, WorkloadError
from npufleet.job import ranks
from npufleet.job.layout import TABLE_TARGET, Layout
from npufleet.job.start import Started, start
from npufleet.testing import Reply
from unit.fleet.job.sim import SPEC, Site, refuse
from unit.fleet.samples import problem

HELD = problem(409, api.CODE_NPU_HELD, "NPU 0 is held by workload other.")
FULL = problem(503, api.CODE_DOCKER, "Docker does not answer.")
SILENT = Reply(error=requests.ConnectTimeout())


def run(words: Generator[str, None, Started]) -> Started:
    while True:
        try:
            next(words)
        except StopIteration as end:
            started: Started = end.value
            return started


def env(workload: api.Workload) -> dict[str, Any]:
    found: dict[str, Any] = workload.spec["env"]
    return found


def test_every_rank_is_told_where_it_stands() -> None:
    site = Site.of(3)
    started = run(start(site.fleet(), SPEC, Layout(2, master_port=6000)))
    assert (started.nodes, started.created) == (("n1", "n2"), True)
    assert site.agents["n3"].empty
    assert [env(started.workloads[node]) for node in started.nodes] == [
        {"MASTER_ADDR": "192.0.2.1", "MASTER_PORT": "6000", "NNODES": "2", "NPUS_PER_NODE": "2", "NODE_RANK": rank}
        for rank in ("0", "1")
    ]
    assert {started.workloads[node].spec["network"] for node in started.nodes} == {"host"}


def test_names_give_the_order_of_ranks() -> None:
    site = Site.of(3)
    started = run(start(site.fleet(), SPEC, Layout(("n3", "n1"))))
    assert started.nodes == ("n3", "n1")
    assert ranks.rank_of(site.agents["n1"].workloads["job"]) == 1
    assert env(site.agents["n1"].workloads["job"])["MASTER_ADDR"] == "192.0.2.3"


def test_the_rank_table_has_the_npus_that_were_reserved() -> None:
    site = Site.of(2)
    site.agents["n2"].workloads["other"] = api.Workload("other", {}, npus=[0])
    run(start(site.fleet(), SPEC, Layout(2, rank_table="auto")))
    spec = site.agents["n2"].workloads["job"].spec
    assert spec["env"]["RANK_TABLE_FILE"] == spec["files"][0]["target"] == TABLE_TARGET
    table = json.loads(spec["files"][0]["text"])
    assert (table["version"], table["server_count"]) == ("1.0", "2")
    assert table["server_list"][1]["device"] == [
        {"device_id": "1", "device_ip": "192.168.2.2", "rank_id": "2"},
        {"device_id": "2", "device_ip": "192.168.2.3", "rank_id": "3"},
    ]


def test_a_rank_table_without_addresses_is_refused_and_all_is_given_back() -> None:
    site = Site.of(2)
    site.agents["n2"].addresses = False
    with pytest.raises(JobError, match="address of NPU 0"):
        run(start(site.fleet(), SPEC, Layout(2, rank_table="auto")))
    assert all(agent.empty for agent in site.agents.values())


def test_a_node_that_has_just_been_taken_is_passed_over() -> None:
    site = Site.of(3)
    site.agents["n1"].fault = refuse("PUT /v1/leases", HELD)
    started = run(start(site.fleet(), SPEC, Layout(2)))
    assert started.nodes == ("n2", "n3")
    assert "n1: NPU 0 is held by workload other." in started.notes


@pytest.mark.parametrize("call", ["PUT /v1/leases", "PUT /v1/workloads"])
@pytest.mark.parametrize("reply", [HELD, FULL, SILENT])
@pytest.mark.parametrize("struck", ["n1", "n2"])
def test_whatever_fails_in_between_nothing_is_left(call: str, reply: Reply, struck: str) -> None:
    site = Site.of(2)
    site.agents[struck].fault = refuse(call, reply)
    with pytest.raises(JobError, match=r"was not started.*Nothing of it is left on any node"):
        run(start(site.fleet(), SPEC, Layout(("n1", "n2"))))
    assert all(agent.empty for agent in site.agents.values())


def test_a_node_that_goes_silent_in_the_middle_is_named_with_what_it_keeps() -> None:
    site = Site.of(2)
    silent = site.agents["n2"]

    def after_reserving(_call: str) -> Reply | None:
        return SILENT if silent.reservations else None

    silent.fault = after_reserving
    with pytest.raises(JobError) as caught:
        run(start(site.fleet(), SPEC, Layout(2)))
    told = caught.value.failure
    assert "n2 could not be told" in told.message
    assert "Nothing of it is left" not in told.message
    assert "Reservations end by themselves within 180 s" in told.remedy
    assert site.agents["n1"].empty


def test_a_commit_whose_answer_is_lost_is_taken_back() -> None:
    site = Site.of(2)
    agent = site.agents["n2"]

    def lose(call: str) -> Reply | None:
        if not call.startswith("PUT /v1/workloads"):
            return None
        agent.fault = lambda _call: None
        agent.workloads["job"] = api.Workload("job", {"labels": {ranks.ATTEMPT: mark(agent)}}, npus=[0])
        agent.reservations.clear()
        return SILENT

    def mark(agent: Any) -> str:
        return str(next(iter(agent.reservations))).rpartition("-")[2]

    agent.fault = lose
    with pytest.raises(JobError, match="Nothing of it is left"):
        run(start(site.fleet(), SPEC, Layout(2)))
    assert agent.empty


def test_a_workload_of_somebody_else_is_not_taken_along() -> None:
    site = Site.of(2)
    other = api.Workload("job", {"labels": {}}, npus=[7])

    def meanwhile(call: str) -> Reply | None:
        if call.startswith("PUT /v1/workloads"):
            site.agents["n2"].workloads["job"] = other
            return problem(409, api.CODE_WORKLOAD_EXISTS, "The workload job exists with a different spec.")
        return None

    site.agents["n2"].fault = meanwhile
    with pytest.raises(JobError, match="different spec"):
        run(start(site.fleet(), SPEC, Layout(2)))
    assert site.agents["n2"].workloads == {"job": other}
    assert not site.agents["n2"].reservations


@pytest.mark.parametrize("step", [0, 1, 2])
def test_an_interrupt_at_every_step_leaves_nothing(step: int) -> None:
    site = Site.of(2)
    words = start(site.fleet(), SPEC, Layout(2))
    for _ in range(step + 1):
        next(words)
    with pytest.raises((JobError, KeyboardInterrupt)) as caught:
        words.throw(KeyboardInterrupt())
    if step:
        assert isinstance(caught.value, NpufleetError)
        assert caught.value.failure.code == "interrupted"
    assert all(agent.empty for agent in site.agents.values())


def test_the_same_job_again_is_left_alone_and_another_is_refused() -> None:
    site = Site.of(2)
    run(start(site.fleet(), SPEC, Layout(2)))
    again = run(start(site.fleet(), SPEC, Layout(2)))
    assert (again.created, again.nodes) == (False, ("n1", "n2"))
    with pytest.raises(WorkloadError, match="not this job as a whole"):
        run(start(site.fleet(), SPEC, Layout(2, master_port=1)))
    del site.agents["n1"].workloads["job"]
    with pytest.raises(WorkloadError, match="already on n2"):
        run(start(site.fleet(), SPEC, Layout(2)))


def test_too_few_nodes_are_said_before_anything_is_reserved() -> None:
    site = Site.of(2)
    with pytest.raises(UsageError, match="the inventory has 2"):
        run(start(site.fleet(), SPEC, Layout(3)))
    site.agents["n1"].workloads["other"] = api.Workload("other", {}, npus=list(range(7)))
    with pytest.raises((PlacementError, JobError), match="only n2"):
        run(start(site.fleet(), SPEC, Layout(2)))
    assert not [call for call in site.agents["n2"].calls if call.startswith("PUT")]


def test_what_the_ranks_are_given_cannot_be_set() -> None:
    spec = api.WorkloadSpec("job", "img:1", 2, env={"NODE_RANK": "0"})
    with pytest.raises(UsageError, match="NODE_RANK"):
        run(start(Site.of(1).fleet(), spec, Layout(1)))
