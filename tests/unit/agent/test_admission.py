from __future__ import annotations

from typing import Any

import pytest

from npu_agent import admission, api
from npu_agent.problem import ProblemError
from unit.agent.bench import npus

HELD = api.Holder("container", "vllm")


def choose(asked: Any, held: tuple[int, ...] = (), complete: bool = True, **states: Any) -> tuple[list[int], list[str]]:
    return admission.choose(asked, npus(4, **states), dict.fromkeys(held, HELD), complete=complete)


def refusal(*arguments: Any, **more: Any) -> api.Problem:
    with pytest.raises(ProblemError) as caught:
        choose(*arguments, **more)
    return caught.value.problem


def test_a_count_gets_the_lowest_healthy_free_ones() -> None:
    assert choose(2, held=(0,), n1=api.DEGRADED) == ([2, 3], [])


def test_ids_and_all() -> None:
    assert choose([3, 1])[0] == [1, 3]
    assert choose("all")[0] == [0, 1, 2, 3]


def test_a_held_npu_names_its_holder() -> None:
    problem = refusal([1, 2], held=(2,))
    assert (problem.status, problem.code, problem.npu, problem.holder) == (409, api.CODE_NPU_HELD, 2, HELD)
    assert "container vllm" in problem.detail


@pytest.mark.parametrize("state", [api.UNHEALTHY, api.UNKNOWN])
@pytest.mark.parametrize("asked", [[1], "all", 4])
def test_neither_unhealthy_nor_unknown_npus_are_given(state: str, asked: Any) -> None:
    problem = refusal(asked, n1=state)
    assert (problem.status, problem.code, problem.npu) == (503, api.CODE_NPU_UNHEALTHY, 1)


def test_a_degraded_npu_is_given_to_who_names_it_and_noted() -> None:
    assert choose([1], n1=api.DEGRADED) == ([1], ["NPU 1 is degraded: "])


def test_a_count_that_is_only_held_up_by_others_is_a_conflict() -> None:
    assert refusal(4, held=(0, 1)).code == api.CODE_NPU_HELD
    assert refusal(3, held=(0,), n1=api.UNHEALTHY).code == api.CODE_NPU_HELD
    assert refusal(4, held=(0,), n1=api.UNHEALTHY).code == api.CODE_NPU_UNHEALTHY


@pytest.mark.parametrize("held", [(0,), (0, 1, 2, 3)])
def test_nobody_is_told_to_wait_for_an_npu_that_is_unknown_itself(held: tuple[int, ...]) -> None:
    unknown = dict.fromkeys(("n0", "n1", "n2", "n3"), api.UNKNOWN)
    assert refusal(1, held=held, **unknown).code == api.CODE_NPU_UNHEALTHY


def test_more_than_there_are() -> None:
    assert refusal(5).code == api.CODE_NPU_SHORT
    assert refusal([4]).code == api.CODE_NPU_UNKNOWN


def test_before_the_first_complete_probe_nothing_is_given() -> None:
    assert refusal(1, complete=False).code == api.CODE_NPU_UNHEALTHY
