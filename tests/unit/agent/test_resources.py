from __future__ import annotations

from typing import Any

import pytest

from npu_agent import api, resources
from npu_agent.config import Policy
from npu_agent.nodefacts import NodeFacts
from npu_agent.problem import ProblemError

GIB = 1 << 30
TRAIN = {"cpus": 192, "memory": "1000g", "shm": "200g"}
BIG = NodeFacts(cpus=192, memory_bytes=1500 * GIB)
SMALL = NodeFacts(cpus=64, memory_bytes=100 * GIB)


def resolve(asked: api.Resources, profile: dict[str, Any], facts: NodeFacts) -> resources.Sizes:
    return resources.resolve(asked, profile, "train", facts, Policy())


def test_the_manuals_numbers_on_the_manuals_machine() -> None:
    sizes = resolve(api.Resources(), TRAIN, BIG)
    assert sizes == resources.Sizes(192, 1000 * GIB, 200 * GIB, [])


def test_they_are_ceilings_on_a_smaller_node_and_a_note_says_so() -> None:
    sizes = resolve(api.Resources(), TRAIN, SMALL)
    assert (sizes.cpus, sizes.memory_bytes, sizes.shm_bytes) == (64, 90 * GIB, 45 * GIB)
    assert sizes.notes == [
        "profile train asks 192 cpus; this node gives all its 64",
        "profile train asks 1000g of memory; this node gives 90g",
        "profile train asks 200g shm; this node gives 45g",
    ]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (api.Resources(cpus=65), "resources.cpus"),
        (api.Resources(memory="101g"), "resources.memory"),
        (api.Resources(shm="91g"), "resources.shm"),
        (api.Resources(memory="10g", shm="11g"), "resources.shm"),
    ],
)
def test_explicit_numbers_must_fit(asked: api.Resources, field: str) -> None:
    with pytest.raises(ProblemError) as caught:
        resolve(asked, TRAIN, SMALL)
    assert (caught.value.problem.code, caught.value.problem.field) == (api.GUARD_RESOURCES, field)


def test_explicit_numbers_are_taken_as_they_are() -> None:
    sizes = resolve(api.Resources(cpus=0.5, memory="10g", shm="2g"), TRAIN, SMALL)
    assert sizes == resources.Sizes(0.5, 10 * GIB, 2 * GIB, [])


def test_without_numbers_there_are_no_limits_but_the_floor_of_shared_memory() -> None:
    assert resolve(api.Resources(), {}, SMALL) == resources.Sizes(None, None, GIB, [])


@pytest.mark.parametrize(("asked", "memory"), [(api.Resources(shm="512m"), 100 * GIB), (api.Resources(), GIB)])
def test_shared_memory_under_the_floor_is_refused(asked: api.Resources, memory: int) -> None:
    with pytest.raises(ProblemError) as caught:
        resolve(asked, TRAIN, NodeFacts(cpus=1, memory_bytes=memory))
    assert caught.value.problem.code == api.GUARD_SHM
