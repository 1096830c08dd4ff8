from __future__ import annotations

import pytest

from npufleet_lab.node import faults, npu_smi, reset, state
from npufleet_lab.node.state import State

EIGHT = state.initial("910B3", "24.1.0")


def broken(*words: str, current: State = EIGHT) -> State:
    return faults.apply(current, faults.parse(words))


def words(npu: int) -> list[str]:
    return ["-t", "reset", "-i", str(npu), "-c", "0"]


def test_a_reset_asks_and_heals_the_whole_ring() -> None:
    sick = broken("npu=6", "health=Alarm", current=broken("npu=3", "code=80E18005"))
    said, status, after = npu_smi.change(words(3), "y\n", sick)
    assert status == 0
    assert said.startswith("Resetting the standard PCIe card")
    assert said.endswith(
        "\tStatus                         : OK\n\tMessage                        : Reset card successfully.\n"
    )
    assert after == EIGHT


@pytest.mark.parametrize("reply", ["", "n\n"])
def test_without_a_yes_nothing_happens(reply: str) -> None:
    sick = broken("npu=3", "code=80E18005")
    said, _, after = npu_smi.change(words(3), reply, sick)
    assert after is sick
    assert "Status" not in said


def test_what_a_reset_cannot_heal_stays() -> None:
    sick = broken("npu=3", "code=80E18402,80E18005", "link=DOWN", "temperature=97")
    _, _, after = npu_smi.change(words(0), "y\n", sick)
    left = after["npus"][3]
    assert (left["codes"], left["roce"]["link"], left["temperature"]) == (["80E18402"], "DOWN", 97)


def test_under_a_process_of_the_ring_it_fails() -> None:
    sick = broken("process", "npu=5", "pid=47", current=broken("npu=3", "code=80E18005"))
    said, status, after = npu_smi.change(words(3), "y\n", sick)
    assert ("Fail" in said, status, after) == (True, reset.FAILED_STATUS, sick)


def test_no_such_chip_and_no_such_setting_are_refused() -> None:
    for arguments in (words(9), ["-t", "reset"], ["-t", "ecc-enable", "-i", "0"], ["-i"]):
        said, status, after = npu_smi.change(arguments, "y\n", EIGHT)
        assert (said.startswith("Error parameter"), status, after is EIGHT) == (True, 255, True)


@pytest.mark.parametrize(
    ("chip", "npu", "ring"),
    [("910B3", 3, set(range(8))), ("910A", 5, {4, 5, 6, 7}), ("A3", 5, {4, 5}), ("310P3", 5, {5})],
)
def test_rings(chip: str, npu: int, ring: set[int]) -> None:
    current = state.initial(chip, "24.1.0")
    assert reset.ring_of(current, current["npus"][npu]) == ring
