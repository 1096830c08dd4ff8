"""The simulated npu-smi as a command line: refusals, faults, and what falls off the bus."""

from __future__ import annotations

import re

import pytest

from npufleet_lab.node import faults, npu_smi, state
from npufleet_lab.node.chips import FAMILIES
from npufleet_lab.node.state import State

EIGHT = state.initial("910B3", "24.1.0")


def told(current: State, *arguments: str) -> str:
    return npu_smi.answer(list(arguments), current)[0]


def broken(*words: str, current: State = EIGHT) -> State:
    return faults.apply(current, faults.parse(words))


@pytest.mark.parametrize(("chip", "width"), [("910B3", 98), ("910A", 98), ("A3", 98), ("310P3", 106)])
def test_every_line_of_a_table_has_the_familys_width(chip: str, width: int) -> None:
    lines = told(state.initial(chip, "24.1.0"), "info").splitlines()
    assert {len(line) for line in lines} == {width}


@pytest.mark.parametrize("chip", sorted(FAMILIES))
@pytest.mark.parametrize(
    "kind", ["health", "ecc", "usages", "board", "common", "memory", "power", "temp", "proc-mem", "err-count"]
)
def test_every_type_answers_for_every_family(chip: str, kind: str) -> None:
    current = state.initial(chip, "24.1.0")
    card = str(current["npus"][-1]["card"])
    output, status = npu_smi.answer(["info", "-t", kind, "-i", card], current)
    assert status == 0
    assert output.startswith("\t")


def test_health_follows_the_worst_code() -> None:
    current = broken("npu=3", "code=81078603,80E01801")
    rows = [line for line in told(current, "info").splitlines() if "910B3" in line]
    assert [re.split(r"\s*\|\s*", row)[2] for row in rows] == ["OK"] * 3 + ["Critical"] + ["OK"] * 4


def test_health_word_that_was_asked_for_wins() -> None:
    current = broken("npu=3", "health=Alarm", "code=80E01801")
    assert "Health Status                  : Alarm" in told(current, "info", "-t", "health", "-i", "3", "-c", "0")
    assert "Error Code                     : 80E01801" in told(current, "info", "-t", "health", "-i", "3", "-c", "0")


def test_chip_health_says_ok_without_a_code_as_the_real_tool_does() -> None:
    current = broken("npu=3", "health=Alarm")
    assert "| Alarm " in told(current, "info")
    assert "Health Status                  : OK" in told(current, "info", "-t", "health", "-i", "3", "-c", "0")


def test_unknown_code_has_no_text() -> None:
    output = told(broken("npu=0", "code=0000ABCD"), "info", "-t", "health", "-i", "0", "-c", "0")
    assert "Health Status                  : Warning" in output
    assert "Failed to get error information for error code : 0x0000ABCD" in output


def test_dropped_card_is_gone_everywhere() -> None:
    current = broken("drop-card", "5")
    assert "0000:02:00.0" not in told(current, "info")
    assert "No running processes found in NPU 5" not in told(current, "info")
    assert "Total Count                    : 7" in told(current, "info", "-l")
    assert "\n\t5 " not in told(current, "info", "-m")
    assert told(current, "info", "-t", "board", "-i", "5").startswith("Invalid card id.")


def test_dropped_card_takes_both_its_chips() -> None:
    current = broken("drop-card", "5", current=state.initial("310P3", "24.1.0"))
    assert current["faults"]["dropped"] == [4, 5]
    assert "Total Count                    : 3" in told(current, "info", "-l")


def test_processes_are_listed_at_most_eight_a_chip_with_short_names() -> None:
    current = EIGHT
    for pid in range(100, 110):
        current = broken("process", "npu=2", f"pid={pid}", "name=a-very-long-process-name", "mb=12", current=current)
    rows = [line for line in told(current, "info").splitlines() if "a-very-long-pro" in line]
    assert len(rows) == 8
    assert rows[0].startswith("| 2       0                 | 100           | a-very-long-pro          | 12  ")


def test_refusals_cover_every_sub_command() -> None:
    for arguments in (["info"], ["info", "-m"], ["-v"]):
        assert npu_smi.answer(arguments, broken("occupied"))[1] == 172
        assert npu_smi.answer(arguments, broken("not-ready"))[1] == 187


@pytest.mark.parametrize(
    ("arguments", "first_line"),
    [
        (["info", "-t", "nonsense", "-i", "0"], "Error parameter of -t"),
        (["info", "-t", "hccs", "-i", "0"], "This device does not support querying hccs."),
        (["info", "-t", "health", "-i", "42"], "Invalid card id."),
        (["info", "-t", "health", "-i", "0", "-c", "7"], "Invalid chip id."),
        (["info", "--what"], "Error parameter of --what"),
        (["set"], "Error parameter of set"),
        (["-v"], "npu-smi version: 24.1.0"),
    ],
)
def test_complaints(arguments: list[str], first_line: str) -> None:
    assert told(EIGHT, *arguments).splitlines()[0] == first_line


def test_mapping_of_two_chips_a_card_counts_chips_through() -> None:
    rows = told(state.initial("310P3", "24.1.0"), "info", "-m").splitlines()[1:]
    chips = [row.split()[:3] for row in rows if "Mcu" not in row]
    assert chips == [
        [str(card), str(chip), str(number * 2 + chip)]
        for number, card in enumerate((0, 96, 128, 224))
        for chip in (0, 1)
    ]
