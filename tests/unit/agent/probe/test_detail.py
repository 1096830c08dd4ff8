"""`npu-smi info -t ...`: the chip's own block, unknown where it does not say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from npu_agent import probe
from npu_agent.probe import HealthDetail
from unit.agent.recorded import read


def test_several_codes_and_their_texts() -> None:
    found = probe.parse_health(read("other/910A_health_Alarm_multi_error_codes.txt"))
    assert found.health == "Alarm"
    assert found.codes == ("A4025021", "8C03A000", "8C084E00")
    assert [text[:14] for text in found.information] == ["ascend_monitor", "node type=proc", "node type=adda"]


def test_no_codes_is_not_unknown_codes() -> None:
    assert probe.parse_health(read("other/910A_health_OK_doc.txt")) == HealthDetail("OK", ())
    assert probe.parse_health(read("other/950_health_doc.txt")) == HealthDetail("OK", ())
    assert probe.parse_health("") == HealthDetail(None, None)


def test_a_damaged_code_makes_them_all_unknown() -> None:
    assert probe.parse_health("Health Status : Alarm\nError Code : 80E01801 80E3#203").codes is None


def test_codes_of_the_controller_are_not_the_chips() -> None:
    text = "Health : OK\nError Code : NA\n\nChip Name : mcu\nHealth : Alarm\nError Code : 80E01801\n"
    assert probe.parse_health(text) == HealthDetail("OK", ())


def test_board_of_card_and_chip() -> None:
    card = probe.parse_board(read("other/910A_board_i0.txt"))
    assert (card.software_version, card.firmware_version, card.compatible) == ("23.0.5", "7.1.0.7.220", True)
    chip = probe.parse_board(read("other/910A_board_i0_c0.txt"))
    assert (chip.chip_name, chip.chip_type, chip.chip_version) == ("910A", "Ascend", "V1")
    assert chip.vdie_id == "42C711D4 20B03704 4A10C8D4 14CC040A D2102003"
    assert chip.compatible is None


def test_list_counts_cards() -> None:
    assert probe.parse_list(read("other/910B3_info_l_25.5.1_excerpt.txt")) == probe.CardList(8, (0, 1))
    assert probe.parse_list("Card Count : x") == probe.CardList(None, ())


def test_numbers_keep_their_units_and_the_chips_values() -> None:
    usages = probe.parse_numbers(read("other/910A_usages_i0.txt"))
    assert usages["hbm capacity(mb)"] == 31129
    common = probe.parse_numbers(read("other/910B1_common_i1.txt"))
    assert common["temperature(c)"] == 46
    assert common["npu real-time power(w)"] == 93.4
    assert probe.parse_numbers(read("other/910A_ecc_i1_doc.txt"))["hbm double bit isolated pages count"] == 0


def test_processes_and_version() -> None:
    (process,) = probe.parse_proc_mem(read("other/910B3_proc_mem_25.5.1.txt"))
    assert process == {"pid": 207795, "name": "VLLMEngineCor", "memory_mb": 55436}
    assert probe.parse_tool_version("npu-smi version: 24.1.0") == "24.1.0"
    assert probe.parse_tool_version(read("other/950_version_doc.txt")) is None


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    assert probe.parse_health(text).health in (None, *probe.HEALTH_WORDS)
    assert probe.parse_board(text).compatible in (None, True, False)
    assert probe.parse_list(text).cards == tuple(probe.parse_list(text).cards)
    assert isinstance(probe.parse_numbers(text), dict)
