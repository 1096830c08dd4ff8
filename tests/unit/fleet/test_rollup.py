from __future__ import annotations

import dataclasses

from npufleet import rollup, survey
from unit.fleet.samples import make_facts, make_node, sick_facts

RACKS = {0: "rack_a", 1: "rack_b"}


def status(number: int, *, sick: bool = False) -> survey.NodeStatus:
    node = make_node(f"n-{number}")
    groups = ("hall", "npu_nodes", RACKS[number % 2])
    facts = sick_facts(node.name) if sick else make_facts(node.name)
    state = survey.NOT_READY if sick else survey.READY
    reasons = (survey.Reason("sick"),) if sick else ()
    return survey.NodeStatus(dataclasses.replace(node, groups=groups), state, facts, reasons)


def test_small_fleet_is_shown_as_it_is() -> None:
    statuses = [status(n) for n in range(rollup.FOLD_FROM)]
    assert rollup.fold(statuses).worst == tuple(statuses)


def test_what_is_fine_is_counted_by_its_smallest_group() -> None:
    statuses = [status(n, sick=n == 1) for n in range(100)]
    folded = rollup.fold(statuses)
    assert [found.node.name for found in folded.worst] == ["n-1"]
    assert [(group.name, len(group.nodes), group.of) for group in folded.groups] == [
        ("rack_a", 50, 50), ("rack_b", 49, 50),
    ]  # fmt: skip


def test_of_many_that_are_not_fine_the_worst_are_shown_and_the_rest_is_counted() -> None:
    folded = rollup.fold([status(n, sick=True) for n in range(100)])
    assert (len(folded.worst), folded.left_out, folded.groups) == (rollup.WORST_SHOWN, 75, ())


def test_all_means_all() -> None:
    assert len(rollup.fold([status(n) for n in range(100)], everything=True).worst) == 100


def test_ready_with_something_to_say_is_not_folded() -> None:
    warned = dataclasses.replace(status(0), reasons=(survey.Reason("disk"),))
    assert rollup.fold([warned, *(status(n) for n in range(1, 40))]).worst == (warned,)
