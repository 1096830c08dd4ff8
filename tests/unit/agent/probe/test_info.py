"""The chip table: what npu-smi is known to get wrong, and damage on the way."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npu_agent.probe import Chip, InfoTable, parse_info
from unit.agent.recorded import first_row, healthy_table, names, read, second_row, table

SAMPLES = [read(f"info/{name}.txt") for name in names("info")]


def test_ok_with_only_zeros_was_not_read() -> None:
    zeros = (first_row(1, "OK", "0.0", "0", name=""), second_row("0000:00:00.0", "0    / 0"))
    found = parse_info(table([(first_row(0), second_row()), zeros], idle=[0, 1]))
    good, blind = found.chips
    assert good.health == "OK"
    assert blind == Chip(npu_id=1, chip_id=0, readable=False)
    assert not found.complete


def test_a_bad_word_survives_the_zeros() -> None:
    zeros = (first_row(0, "Critical", "0.0", "0"), second_row("0000:00:00.0", "0    / 0"))
    (chip,) = parse_info(table([zeros], idle=[0])).chips
    assert (chip.health, chip.temperature_c, chip.hbm_total_mb) == ("Critical", None, None)


def test_a_chip_without_hbm_could_not_be_asked_for_it() -> None:
    (chip,) = parse_info(table([(first_row(0), second_row(hbm="0    / 0"))], idle=[0])).chips
    assert (chip.hbm_used_mb, chip.hbm_total_mb, chip.temperature_c) == (None, None, 47)


def test_a_second_row_alone_belongs_to_nobody() -> None:
    found = parse_info(table([(first_row(0), second_row()), (second_row("0000:02:00.0"),)], idle=[0, 1]))
    assert [chip.npu_id for chip in found.chips] == [0, None]
    assert found.chips[1].health is None
    assert not found.complete


def test_a_first_row_alone_keeps_what_it_says() -> None:
    found = parse_info(table([(first_row(0),), (first_row(1), second_row())], idle=[0, 1]))
    assert [(chip.npu_id, chip.bus_id) for chip in found.chips] == [(0, None), (1, "0000:C1:00.0")]
    assert not found.complete


def test_two_rows_for_one_chip_say_nothing_about_it() -> None:
    twice = [(first_row(3), second_row()), (first_row(3, "Alarm"), second_row("0000:02:00.0"))]
    (chip,) = parse_info(table(twice, idle=[3])).chips
    assert chip == Chip(npu_id=3, chip_id=0, readable=False)


def test_a_table_cut_at_a_rule_is_not_whole() -> None:
    text = healthy_table(8)
    cut = text[: text.index("| 5     910B3")]
    found = parse_info(cut)
    assert len(found.chips) == 5
    assert not found.chips_complete


def test_a_whole_table_without_a_card_is_whole() -> None:
    rows = [(first_row(npu), second_row(f"0000:{npu + 1:02X}:00.0")) for npu in (0, 1, 3)]
    found = parse_info(table(rows, idle=[0, 1, 3]))
    assert found.complete
    assert [chip.npu_id for chip in found.chips] == [0, 1, 3]


def test_a_card_that_says_neither_busy_nor_idle_is_not_idle() -> None:
    found = parse_info(table([(first_row(0), second_row()), (first_row(1), second_row("0000:02:00.0"))], idle=[0]))
    assert found.chips_complete
    assert not found.processes_complete


@pytest.mark.parametrize(
    "noise", ["DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)\n", "[root@node ~]# npu-smi info\n"]
)
def test_lines_before_the_table_change_nothing(noise: str) -> None:
    assert parse_info(noise + healthy_table()) == parse_info(healthy_table())


def test_the_warning_of_a_half_installed_driver_is_heard() -> None:
    text = healthy_table() + "[WARNING]The driver package may not be completely installed, please reinstall it.\n"
    assert parse_info(text).half_installed
    assert parse_info(text).complete


def test_a_number_that_lost_a_digit_is_unknown() -> None:
    text = healthy_table().replace("4096 / 65536", "409 / 65536", 1)
    found = parse_info(text)
    assert found.chips[0].hbm_used_mb is None
    assert found.chips[1].hbm_used_mb == 4096


def test_more_used_than_there_is_cannot_be() -> None:
    (chip,) = parse_info(table([(first_row(0), second_row(hbm="70000/ 65536"))], idle=[0])).chips
    assert chip.hbm_used_mb is None


def test_an_unknown_column_does_not_shift_the_others() -> None:
    text = healthy_table(2)
    wider = text.replace("Power(W)    Temp(C) ", "Clock(MHz)  Power(W)  Temp(C) ").replace(
        "93.2        47", "1800        93.2      47"
    )
    assert [chip.power_w for chip in parse_info(wider).chips] == [93.2, 93.2]


mutations = st.one_of(
    st.tuples(st.just("junk"), st.integers(0, 10**6), st.sampled_from("#@?~!")),
    st.tuples(st.just("delete"), st.integers(0, 10**6), st.just("")),
    st.tuples(st.just("insert"), st.integers(0, 10**6), st.sampled_from("#7| x")),
    st.tuples(st.just("cut"), st.integers(0, 10**6), st.just("")),
    st.tuples(st.just("drop-line"), st.integers(0, 10**6), st.just("")),
    st.tuples(st.just("double-line"), st.integers(0, 10**6), st.just("")),
)


def mutate(text: str, kind: str, where: int, what: str) -> str:
    lines, at = text.splitlines(keepends=True), where % len(text)
    line = where % len(lines)
    return {
        "junk": text[:at] + what + text[at + 1 :],
        "delete": text[:at] + text[at + 1 :],
        "insert": text[:at] + what + text[at:],
        "cut": text[:at],
        "drop-line": "".join(lines[:line] + lines[line + 1 :]),
        "double-line": "".join(lines[: line + 1] + lines[line:]),
    }[kind]


def same_or_unknown(chip: Chip, truth: Chip) -> bool:
    names = [field.name for field in dataclasses.fields(Chip) if field.name not in ("readable", "name")]
    return all(getattr(chip, name) in (None, getattr(truth, name)) for name in names)


@settings(max_examples=400, deadline=None)
@given(st.integers(1, 8), mutations)
def test_a_damaged_table_gives_right_values_or_none(count: int, mutation: tuple[str, int, str]) -> None:
    # A name is free text: damage inside it can look like another name.
    text = healthy_table(count, n2="Alarm")
    truth, found = parse_info(text), parse_info(mutate(text, *mutation))
    for chip in found.chips:
        assert any(same_or_unknown(chip, real) for real in truth.chips), (chip, mutation)
    assert set(found.idle_npus) <= set(truth.idle_npus)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(mutations, min_size=1, max_size=4))
def test_no_damage_raises(text: str, damage: list[tuple[str, int, str]]) -> None:
    for kind, where, what in damage:
        text = mutate(text or " ", kind, where, what)
    assert isinstance(parse_info(text), InfoTable)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("|+-= \n0123456789/OKNPUChipBus-IdHealth"), max_size=400))
def test_no_text_raises(text: str) -> None:
    assert not parse_info(text).complete
