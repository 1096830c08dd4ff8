from __future__ import annotations

import dataclasses

import pytest

from npu_agent import api, engine, lifecycle, store
from npu_agent.store import Record
from unit.agent.bench import Bench


@pytest.fixture
def record(bench: Bench) -> Record:
    plan = {"Image": "img:1", "Labels": {api.LABEL_WORKLOAD: "job"}}
    made = Record("job", store.RESERVED, "sha", {"name": "job"}, plan, {}, [1])
    bench.store.reserve(made)
    return made


def steps(bench: Bench) -> list[str]:
    found: list[str] = []
    bench.engine.before = lambda operation: found.append(f"{operation}@{bench.store.records()[0].phase}")
    return found


def test_each_step_is_on_disk_before_the_next(bench: Bench, record: Record) -> None:
    found = steps(bench)
    bench.workloads.lifecycle.bring_up(record)
    assert found == ["create@reserved", "start@created"]
    assert bench.store.records()[0].phase == store.STARTED


def test_a_second_create_takes_the_first_ones_container(bench: Bench, record: Record) -> None:
    made = bench.engine.create("npufleet-job", record.plan)
    assert bench.workloads.lifecycle.bring_up(record).container_id == made
    assert len(bench.engine.documents) == 1


def test_a_container_replaced_by_somebody_else_is_not_ours(bench: Bench, record: Record) -> None:
    bench.engine.add("npufleet-job", {"Labels": {api.LABEL_WORKLOAD: "other"}}, running=True)
    bench.workloads.lifecycle.take_down(record, 0)
    assert bench.engine.running == ["npufleet-job"]
    assert bench.leased() == {}


@pytest.mark.parametrize("label", [api.LABEL_SPEC, api.LABEL_NPUS])
def test_a_container_of_an_earlier_life_is_neither_started_nor_removed(bench: Bench, label: str) -> None:
    labels = {api.LABEL_WORKLOAD: "job", api.LABEL_SPEC: "sha", api.LABEL_NPUS: "1"}
    made = Record("job", store.RESERVED, "sha", {"name": "job"}, {"Labels": labels}, {}, [1])
    bench.store.reserve(made)
    bench.engine.add("npufleet-job", {"Labels": {**labels, label: "0"}})
    with pytest.raises(engine.NameTakenError):
        bench.workloads.lifecycle.bring_up(made)
    bench.workloads.lifecycle.take_down(made, 0)
    assert (bench.engine.running, len(bench.engine.documents), bench.leased()) == ([], 1, {})


def test_gone_means_that_docker_says_so(bench: Bench, record: Record) -> None:
    started = bench.workloads.lifecycle.bring_up(record)
    kept = dict(bench.engine.documents)

    def before(operation: str) -> None:
        if operation == "remove":  # Docker answers, and yet the container stays
            bench.engine.documents["copy"] = kept[str(started.container_id)]

    bench.engine.before = before
    with pytest.raises(engine.RefusedError, match="still there"):
        bench.workloads.lifecycle.take_down(started, 0)
    assert bench.leased() == {1: "job"}


def test_a_container_that_vanishes_while_it_is_stopped_is_gone(bench: Bench, record: Record) -> None:
    started = bench.workloads.lifecycle.bring_up(record)
    bench.engine.before = lambda operation: bench.engine.documents.clear() if operation == "remove" else None
    bench.workloads.lifecycle.take_down(started, 0)
    assert bench.leased() == {}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (engine.EngineUnreachableError("x"), api.CODE_DOCKER),
        (engine.NotFoundError("No such image: a"), api.CODE_IMAGE_MISSING),
        (engine.RefusedError("x"), api.CODE_DOCKER_REFUSED),
        (engine.NameTakenError("x"), api.CODE_DOCKER_REFUSED),
    ],
)
def test_dockers_failures_in_the_apis_words(error: engine.EngineError, code: str) -> None:
    assert lifecycle.as_problem(error, "a").problem.code == code


def test_find_prefers_the_recorded_container(bench: Bench, record: Record) -> None:
    started = bench.workloads.lifecycle.bring_up(record)
    found = bench.workloads.lifecycle.find(dataclasses.replace(started, name="renamed"))
    assert found is not None
    assert found.id == started.container_id
