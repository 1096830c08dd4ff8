from __future__ import annotations

from typing import Any

import pytest
import requests

from npufleet import placement, survey
from npufleet.errors import PlacementError
from unit.fleet.samples import make_facts, make_fleet, make_npus, make_workload, sick_facts


def names(npus: Any, answers: dict[str, Any]) -> list[str]:
    statuses = survey.take(make_fleet(answers))
    return [status.node.name for status in placement.candidates(npus, statuses)]


FLEET = {
    "empty": make_facts(),
    "half": make_facts(npus=make_npus(held={0: "a", 1: "a", 2: "a", 3: "a"})),
    "full": make_facts(npus=make_npus(held=dict.fromkeys(range(8), "b"))),
    "sick": sick_facts(),
    "dead": requests.ConnectTimeout(),
}


@pytest.mark.parametrize(
    ("npus", "chosen"),
    [
        (1, ["half", "empty"]),  # the fullest where it fits: whole nodes stay free
        (4, ["half", "empty"]), (5, ["empty"]), ("all", ["empty"]), ([0], ["empty"]), ([4, 5], ["half", "empty"]),
    ],
)  # fmt: skip
def test_best_first(npus: Any, chosen: list[str]) -> None:
    assert names(npus, FLEET) == chosen


@pytest.mark.parametrize(("npus", "said"), [(9, "9 free NPUs"), ([8], "NPU 8 free"), ("all", "all its NPUs free")])
def test_nowhere_says_how_near_it_is(npus: Any, said: str) -> None:
    with pytest.raises(PlacementError, match=f"No ready node has {said}.*half: 4 of 8"):
        names(npus, {key: FLEET[key] for key in ("half", "full", "sick")})


def test_no_node_is_ready() -> None:
    with pytest.raises(PlacementError) as caught:
        names(1, {"sick": sick_facts(), "dead": requests.ConnectTimeout()})
    assert caught.value.failure.code == "no-node-ready"


def test_node_without_npus_does_not_have_all_of_them() -> None:
    with pytest.raises(PlacementError):
        names("all", {"none": make_facts(npus=[])})


def test_who_has_the_name_already() -> None:
    statuses = survey.take(make_fleet({"a": make_facts(workloads=[make_workload("x")]), "b": make_facts()}))
    assert [status.node.name for status in placement.holding("x", statuses)] == ["a"]
    assert placement.holding("y", statuses) == []
