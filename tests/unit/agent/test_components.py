from __future__ import annotations

from typing import Any

import pytest

from npu_agent import api, components
from npu_agent.holders import Conflict
from npu_agent.watch import DockerState

ANSWERS = DockerState(version="27", error=None, asked=True)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (DockerState(), api.UNKNOWN),
        (DockerState(error="refused", asked=True), api.UNHEALTHY),
        (DockerState(version="27", error=None, asked=True), api.HEALTHY),
        (DockerState(version="27", error=None, asked=True, stale=True), api.UNKNOWN),
    ],
)
def test_docker_is_healthy_only_when_it_answered(state: DockerState, expected: str) -> None:
    assert components.docker(state).state == expected


def workload(**more: Any) -> api.Workload:
    return api.Workload(**{"name": "a", "spec": {}, "state": "running", **more})


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (workload(), api.HEALTHY),
        (workload(state="exited", exit_code=0), api.HEALTHY),
        (workload(state="exited", exit_code=1), api.UNHEALTHY),
        (workload(state="failed"), api.UNHEALTHY),
        (workload(state="pending"), api.UNKNOWN),
    ],
)
def test_a_workloads_health(found: api.Workload, expected: str) -> None:
    assert components.workloads([found], [], ANSWERS)[0].state == expected


def test_what_docker_does_not_tell_is_unknown_and_what_is_on_record_is_not() -> None:
    away = DockerState(error="refused", asked=True)
    found = components.workloads([workload(), workload(state="exited", exit_code=0)], [], away)
    assert [component.state for component in found] == [api.UNKNOWN, api.HEALTHY]
    assert found[0].reason


@pytest.mark.parametrize(
    ("conflict", "words"),
    [
        (Conflict(3, api.Holder("container", "vllm"), "a"), "NPU 3 is also used by container vllm"),
        (Conflict(3, api.Holder("workload", "a"), None), "leased to nobody"),
        (Conflict(3, api.Holder("workload", "a"), "b"), "leased to b"),
    ],
)
def test_a_shared_npu_is_told(conflict: Conflict, words: str) -> None:
    found = components.workloads([workload()], [conflict], ANSWERS)[0]
    assert found.state == api.UNHEALTHY
    assert words in found.reason


def test_since_changes_with_the_state_only() -> None:
    times = iter(["t1", "t2", "t3"])
    since = components.Since(lambda: next(times))
    first = since.stamp([api.Component("docker", api.HEALTHY)])
    second = since.stamp([api.Component("docker", api.HEALTHY, "other words")])
    third = since.stamp([api.Component("docker", api.UNHEALTHY)])
    assert [(c.since, c.observed_at) for c in (*first, *second, *third)] == [("t1", "t1"), ("t1", "t2"), ("t3", "t3")]
