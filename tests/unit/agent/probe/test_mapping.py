"""Which card and chip is which NPU: told, or not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu_agent.probe import parse_mapping
from unit.agent.recorded import read

A3 = "\n".join(
    "\t" + "".join(f"{cell:<31}" for cell in row)
    for row in (
        ("NPU ID", "Chip ID", "Chip Logic ID", "Chip Phy-ID", "Chip Name"),
        ("0", "0", "0", "8", "Ascend910"),
        ("0", "1", "1", "9", "Ascend910"),
        ("0", "2", "-", "-", "Mcu"),
    )
)


def test_logic_id_is_the_npu_on_the_host() -> None:
    mapping = parse_mapping(read("info_m/910A_8cards.txt"))
    assert [mapping.npu_of(card, 0) for card in range(8)] == list(range(8))
    assert mapping.problems == ()


def test_controllers_are_no_npus() -> None:
    mapping = parse_mapping(read("info_m/910B3_with_Mcu_excerpt.txt"))
    assert mapping.npu_of(0, 0) == 0
    assert mapping.npu_of(0, 1) is None
    assert mapping.npu_of(0, None) == 0


def test_physical_id_wins_over_logic_id() -> None:
    mapping = parse_mapping(A3)
    assert [mapping.npu_of(0, chip) for chip in (0, 1, 2)] == [8, 9, None]
    assert mapping.npu_of(0, None) is None


def test_card_ids_are_not_npus() -> None:
    assert parse_mapping(read("info_m/310P3_npuid4_doc.txt")).npu_of(4, 0) == 0


def test_newest_layout_has_a_slot_and_no_logic_id() -> None:
    mapping = parse_mapping(read("info_m/950_doc.txt"))
    assert mapping.npu_of(0, None) == 0
    row = mapping.find(0)
    assert row is not None
    assert row.chip == 0


@pytest.mark.parametrize("damaged", ["#", "x7"])
def test_a_damaged_row_maps_nothing(damaged: str) -> None:
    text = read("info_m/910A_8cards.txt").replace("\t5 ", f"\t{damaged} ", 1)
    mapping = parse_mapping(text)
    assert mapping.npu_of(5, 0) is None
    assert mapping.npu_of(4, 0) == 4


def test_one_npu_for_two_cards_is_no_answer() -> None:
    lines = read("info_m/910A_8cards.txt").splitlines()
    doubled = "\n".join([*lines[:3], lines[3].replace("2", "1", 2).replace("\t1", "\t2", 1)])
    assert parse_mapping(doubled).npu_of(1, 0) is None


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    assert parse_mapping(text).npu_of(0, 0) is None
