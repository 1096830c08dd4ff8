"""How simulated faults are told."""

from __future__ import annotations

from npufleet_lab.node import faults, state
from npufleet_lab.status import describe_faults


def test_a_node_that_is_well_has_nothing_to_tell() -> None:
    assert describe_faults(state.initial("910B3", "24.1.0")) == []


def test_every_fault_is_told() -> None:
    current = state.initial("910B3", "24.1.0")
    for words in (
        ["npu=3", "health=Alarm", "code=80E01801"],
        ["npu=2", "link=DOWN"],
        ["slow", "3s"],
        ["not-ready"],
        ["drop-card", "5"],
        ["process", "npu=0", "pid=7"],
    ):
        current = faults.apply(current, faults.parse(words))
    assert describe_faults(current) == [
        "slow 3.0",
        "not-ready",
        "npu 5 off the bus",
        "npu 2 link DOWN",
        "npu 3 Alarm 80E01801",
        "process 7 on npu 0",
    ]
