"""What a chip's gauges read: npu-exporter's value rules for a port, and nothing that is too old to be known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from npu_agent.probe import hccn
from npu_agent.probe.model import Chip as Row
from npu_agent.probe.model import Number
from npu_agent.quantities import COUNTERS, QUANTITIES, Chip
from npu_agent.snapshot import Port, Readings, Sighting
from npu_agent.view import View
from unit.agent.recorded import read

LIMITS = {"link": 180.0, "ecc": 900.0}


def sighting(**answers: Readings) -> Sighting:
    return Sighting(3, 3, 0, Row(npu_id=3, chip_id=0, health="OK"), 1000.0, "", readings=answers)


def seen(seen_at: float = 1000.0, answers: dict[str, Readings] | None = None, **told: Any) -> dict[str, Number]:
    """The gauges of NPU 3, whose port was asked at 1000, in a table that arrived at `seen_at`."""
    sides = ("link", "net_health", "stat", "link_stat", "optical")
    port = Port(taken_at=dict.fromkeys(sides, 1000.0), **told)
    view = View("n", observed_monotonic=seen_at, network={3: port}, limits_s=LIMITS)
    values = {quantity.name: quantity.read(Chip(sighting(**(answers or {})), view)) for quantity in QUANTITIES}
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize(("word", "value"), [("UP", 1), ("DOWN", 0), ("PARTIAL LINK", 0), (None, None)])
def test_a_link_is_up_or_not(word: str | None, value: int | None) -> None:
    assert seen(link=word).get("npu_chip_info_link_status") == value


@pytest.mark.parametrize(("word", "value"), [("Success", 1), ("Init", 1), ("Socket failed", 0), (None, None)])
def test_the_network_is_healthy_by_npu_exporters_rule(word: str | None, value: int | None) -> None:
    assert seen(net_health=word).get("npu_chip_info_network_status") == value


def test_an_optical_module_is_read_lane_by_lane() -> None:
    found = seen(optical=hccn.parse_hccn_optical(read("other/hccn_910A_optical_i0.txt")))
    assert found["npu_chip_optical_state"] == 0
    assert found["npu_chip_optical_temp"] == 47
    assert found["npu_chip_optical_vcc"] == 3262.9
    assert [found[f"npu_chip_optical_rx_power_{lane}"] for lane in range(4)] == [1.0189, 0.0054, 0.9907, 1.0213]
    assert found["npu_chip_optical_tx_power_0"] == 4.4035


def test_counters_have_npu_exporters_names() -> None:
    text = "packet statistics:\n" + "".join(f"{key}:{number}\n" for number, (_, key) in enumerate(COUNTERS))
    found = seen(counters=hccn.parse_hccn_stat(text))
    assert {name: found[name] for name, _ in COUNTERS} == {name: number for number, (name, _) in enumerate(COUNTERS)}
    assert len(COUNTERS) == 21
    assert "npu_chip_mac_rx_pause_num" not in seen(counters={"mac_tx_mac_pause_num": 4})


def test_how_often_the_link_came_up() -> None:
    assert seen(link_stat=hccn.LinkStat(up_count=2, down_count=1))["npu_chip_link_up_num"] == 2


def test_what_a_port_said_long_ago_is_not_told() -> None:
    assert "npu_chip_info_link_status" in seen(1180.0, link="UP")
    assert "npu_chip_info_link_status" not in seen(1181.0, link="UP")


def test_a_counter_of_long_ago_is_not_told() -> None:
    answers = {"ecc": Readings({"hbm double bit error count": 2}, 1000.0)}
    assert seen(1900.0, answers)["npu_chip_info_hbm_ecc_double_bit_error_cnt"] == 2
    assert "npu_chip_info_hbm_ecc_double_bit_error_cnt" not in seen(1901.0, answers)


def test_an_npu_without_a_port_has_no_sample_of_one() -> None:
    chip = Chip(replace(sighting(), npu=4), View("n", observed_monotonic=1000.0, network={3: Port("UP")}))
    port = [quantity for quantity in QUANTITIES if quantity.source.startswith("hccn_tool")]
    assert len(port) == 3 + 3 + 8 + len(COUNTERS)
    assert {quantity.read(chip) for quantity in port} == {None}
