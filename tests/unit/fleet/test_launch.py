from __future__ import annotations

from typing import Any

import pytest
import requests

from npu_agent import api
from npufleet import launch
from npufleet.agent_errors import RefusedError, UnreachableError
from npufleet.errors import UsageError, WorkloadError
from npufleet.jobs import Job
from npufleet.survey import Facts
from npufleet.testing import Reply
from unit.fleet.samples import make_facts, make_fleet, make_npus, make_workload, problem, replies_of

SPEC = api.WorkloadSpec("x", "img", 1)


def taking(facts: Facts, status: int = 201) -> dict[str, Any]:
    return {**replies_of(facts), "PUT /v1/workloads/x": Reply(make_workload("x", (4,)).to_dict(), status=status)}


def refusing(facts: Facts, code: str = "npu-held", status: int = 409) -> dict[str, Any]:
    return {**replies_of(facts), "PUT /v1/workloads/x": problem(status, code, "NPU 0 is held by someone")}


FULLER = make_facts(npus=make_npus(held={0: "a"}))


def test_given_node_is_asked_and_no_other() -> None:
    fleet = make_fleet({"lab-1": requests.ConnectTimeout(), "lab-2": taking(make_facts())})
    launched = launch.launch(fleet, Job(SPEC, "lab-2"))
    assert (launched.node, launched.created, launched.workload.npus, launched.messages) == ("lab-2", True, [4], ())


def test_unknown_node_is_a_usage_mistake() -> None:
    with pytest.raises(UsageError, match="Did you mean lab-1"):
        launch.launch(make_fleet({"lab-1": {}}), Job(SPEC, "lab1"))


def test_refusal_of_the_given_node_stands() -> None:
    fleet = make_fleet({"lab-1": refusing(make_facts()), "lab-2": taking(make_facts())})
    with pytest.raises(RefusedError, match="lab-1: NPU 0 is held by someone"):
        launch.launch(fleet, Job(SPEC, "lab-1"))


def test_fullest_node_is_chosen() -> None:
    fleet = make_fleet({"lab-1": taking(make_facts()), "lab-2": taking(FULLER)})
    assert launch.launch(fleet, Job(SPEC)).node == "lab-2"


def test_next_node_where_somebody_was_quicker() -> None:
    fleet = make_fleet({"lab-1": taking(make_facts()), "lab-2": refusing(FULLER)})
    launched = launch.launch(fleet, Job(SPEC))
    assert launched.node == "lab-1"
    assert [message.level for message in launched.messages] == ["note"]


def test_refusal_that_every_node_would_give_is_not_carried_around() -> None:
    fleet = make_fleet({"lab-1": taking(make_facts()), "lab-2": refusing(FULLER, "guard-mount", 422)})
    with pytest.raises(RefusedError) as caught:
        launch.launch(fleet, Job(SPEC))
    assert caught.value.failure.code == "guard-mount"


def test_all_nodes_refuse() -> None:
    fleet = make_fleet({"lab-1": refusing(make_facts()), "lab-2": refusing(FULLER)})
    with pytest.raises(RefusedError, match="lab-1"):
        launch.launch(fleet, Job(SPEC))


def test_same_name_goes_back_to_its_node_even_when_another_fits_better() -> None:
    home = make_facts(workloads=[make_workload("x")], npus=make_npus(held=dict.fromkeys(range(8), "x")))
    fleet = make_fleet({"lab-1": taking(make_facts()), "lab-2": taking(home, status=200)})
    launched = launch.launch(fleet, Job(SPEC))
    assert (launched.node, launched.created) == ("lab-2", False)


def test_same_name_on_two_nodes_must_be_decided_by_the_operator() -> None:
    home = make_facts(workloads=[make_workload("x")])
    with pytest.raises(WorkloadError, match="on each of lab-1, lab-2"):
        launch.launch(make_fleet({"lab-1": taking(home), "lab-2": taking(home)}), Job(SPEC))


def test_nodes_that_nobody_could_look_at_are_told() -> None:
    fleet = make_fleet({"lab-1": requests.ConnectTimeout(), "lab-2": taking(make_facts())})
    launched = launch.launch(fleet, Job(SPEC))
    assert [(message.level, "lab-1" in message.text) for message in launched.messages] == [("warning", True)]


def test_dead_given_node() -> None:
    with pytest.raises(UnreachableError):
        launch.launch(make_fleet({"lab-1": requests.ConnectTimeout()}), Job(SPEC, "lab-1"))
