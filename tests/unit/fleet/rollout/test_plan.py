from __future__ import annotations

import dataclasses

import pytest

from npufleet.errors import UsageError
from npufleet.rollout import plan, settings
from unit.fleet.samples import make_node

NODES = [
    dataclasses.replace(make_node(f"n{number}"), groups=("npu_nodes", "row_b" if number > 6 else "row_a"))
    for number in range(1, 11)
]


def names(*numbers: int) -> list[str]:
    return [f"n{number}" for number in numbers]


def test_canary_first_then_sizes_of_which_the_last_goes_on() -> None:
    found = plan.batches(NODES, settings.read({"max_parallel": [1, "20%", 3]}))
    assert found == [names(1), names(2), names(3, 4), names(5, 6, 7), names(8, 9, 10)]


def test_groups_go_one_after_the_other() -> None:
    found = plan.batches(NODES, settings.read({"groups": ["row_b"], "max_parallel": 4, "canary": 1}))
    assert found == [names(7), names(8, 9, 10), names(1, 2, 3, 4), names(5, 6)]


def test_without_canary_and_on_the_way_back() -> None:
    wanted = settings.read({"canary": 0, "max_parallel": 5, "rollback_parallelism": 8})
    assert [len(batch) for batch in plan.batches(NODES, wanted)] == [5, 5]
    assert [len(batch) for batch in plan.back(names(*range(1, 11)), wanted)] == [8, 2]


def test_limit_takes_names_groups_and_patterns() -> None:
    assert [node.name for node in plan.choose(NODES, "row_b,n1,!n8")] == ["n1", "n7", "n9", "n10"]
    assert len(plan.choose(NODES, "n*")) == len(plan.choose(NODES, None)) == 10
    with pytest.raises(UsageError, match="nothing is called n77"):
        plan.choose(NODES, "n77")
