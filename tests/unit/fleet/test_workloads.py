from __future__ import annotations

import pytest
import requests

from npufleet import workloads
from npufleet.errors import UsageError, WorkloadError
from npufleet.result import Exit
from npufleet.workloads import Found
from unit.fleet.samples import make_facts, make_fleet, make_workload

FLEET = {
    "lab-1": make_facts(workloads=[make_workload("train-10"), make_workload("twin")]),
    "lab-2": make_facts(workloads=[make_workload("train-2"), make_workload("twin")]),
}


def test_listing_is_sorted_by_name_and_number() -> None:
    listing = workloads.list_all(make_fleet(FLEET))
    assert [(placed.workload.name, placed.node) for placed in listing.placed] == [
        ("train-2", "lab-2"), ("train-10", "lab-1"), ("twin", "lab-1"), ("twin", "lab-2"),
    ]  # fmt: skip
    assert (listing.exit_code, listing.failures) == (Exit.FINE, ())


def test_unseen_nodes_are_failures_of_the_listing() -> None:
    listing = workloads.list_all(make_fleet({**FLEET, "lab-3": requests.ConnectTimeout()}))
    assert listing.exit_code == Exit.PARTLY
    assert [failure.node for failure in listing.failures] == ["lab-3"]
    assert workloads.list_all(make_fleet({"x": requests.ConnectTimeout()})).exit_code == Exit.UNREACHABLE


def test_name_alone_is_found() -> None:
    assert workloads.find(make_fleet(FLEET), "train-2") == Found("train-2", ("lab-2",))


def test_node_and_name_ask_nobody() -> None:
    assert workloads.find(make_fleet({"lab-1": requests.ConnectTimeout()}), "lab-1/x") == Found("x", ("lab-1",))


def test_unknown_node_in_a_reference() -> None:
    with pytest.raises(UsageError, match="There is no node lab-9"):
        workloads.find(make_fleet(FLEET), "lab-9/twin")


def test_ambiguous_name_lists_the_nodes() -> None:
    with pytest.raises(WorkloadError, match="on each of lab-1, lab-2") as caught:
        workloads.find(make_fleet(FLEET), "twin")
    assert (caught.value.failure.code, caught.value.failure.remedy) == ("workload-ambiguous", "Say which: lab-1/twin.")


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(WorkloadError, match=r"no workload train2 on any node\. Did you mean train-2"):
        workloads.find(make_fleet(FLEET), "train2")


def test_nobody_claims_that_there_is_none_while_a_node_is_silent() -> None:
    with pytest.raises(WorkloadError, match="lab-3 did not answer") as caught:
        workloads.find(make_fleet({**FLEET, "lab-3": requests.ConnectTimeout()}), "other")
    assert caught.value.failure.code == "workload-not-seen"
