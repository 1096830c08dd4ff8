"""The port on an NPU: told, or not known."""

from __future__ import annotations

import pytest

from npu_agent.probe import classify_text, hccn
from unit.agent.recorded import read


def test_address_and_link() -> None:
    assert hccn.parse_hccn_ip(read("other/hccn_ip_8devices.txt")) == hccn.HccnAddress("192.1.45.172", "255.255.0.0")
    assert hccn.parse_hccn_ip("Get ip failed, because no ip was preset there!") == hccn.HccnAddress()
    assert hccn.parse_hccn_ip("ipaddr:10.0.0.300\nnetmask:255.255.255.0") == hccn.HccnAddress(None, "255.255.255.0")
    assert hccn.parse_hccn_link("link status: UP") == "UP"
    assert hccn.parse_hccn_link("link status: ???") is None
    assert len(hccn.parse_hccn_conf(read("other/hccn_conf_8devices_min.txt"))) == 8


@pytest.mark.parametrize(
    "word", ["Success", "Init", "Socket fail", "Receive timeout", "Time exceeded", "Detect ip set"]
)
def test_a_word_of_the_net_health_is_an_answer_not_a_complaint(word: str) -> None:
    text = f"net health status: {word}\n"
    assert hccn.parse_hccn_net_health(text) == word
    assert classify_text(text) == []


def test_a_complaint_is_no_net_health() -> None:
    assert hccn.parse_hccn_net_health("Cmd execute failed!") is None
    assert [error.kind for error in classify_text("The cmd line execute timeout!")] == ["timeout"]


def test_lanes_that_the_module_does_not_measure_are_unknown() -> None:
    text = read("other/hccn_910A_optical_i0.txt").replace(
        "Rx Power1            : 0.0054 mW", "Rx Power1 : not supported"
    )
    found = hccn.parse_hccn_optical(text)
    assert found.present is False
    assert found.rx_power_mw == (1.0189, None, 0.9907, 1.0213)
    assert found.rx_los == 0xFF
    assert classify_text(text) == []


def test_gateway_netdetect_and_tls() -> None:
    assert hccn.parse_hccn_gateway("default gateway:192.168.100.1, Iface:eth0") == "192.168.100.1"
    assert hccn.parse_hccn_gateway("default gateway:192.168.100, Iface:eth0") is None
    assert hccn.parse_hccn_netdetect("netdetect address: 192.168.100.1") == "192.168.100.1"
    assert hccn.parse_hccn_netdetect("netdetect address: not set") is None
    assert hccn.parse_hccn_tls(read("other/hccn_misc_one_liners_doc.txt")) is False
    assert hccn.parse_hccn_tls("") is None


def test_a_counter_of_64_bits_keeps_every_digit() -> None:
    text = "packet statistics:\nroce_rx_all_pkt_num:18446744073709551615\nroce_tx_err_pkt_num:x\n"
    assert hccn.parse_hccn_stat(text) == {"roce_rx_all_pkt_num": 2**64 - 1, "roce_tx_err_pkt_num": None}


def test_link_changes_of_old_and_new_tools() -> None:
    old = hccn.parse_hccn_link_stat(read("other/hccn_910A_link_stat_i0.txt"))
    assert (old.up_count, old.down_count) == (2, None)
    assert old.changes[0] == ("Tue Aug  1 14:43:40 2022", "UP")
    new = hccn.parse_hccn_link_stat(read("other/950_hccn_link_stat_doc.txt"))
    assert [state for _, state in new.changes] == ["UP", "DOWN", "UP", "DOWN"]
