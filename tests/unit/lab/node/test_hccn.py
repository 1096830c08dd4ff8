"""The simulated hccn_tool."""

from __future__ import annotations

import pytest

from npufleet_lab.node import faults, hccn, state

CURRENT = state.initial("910B3", "24.1.0", 2)
DOWN = faults.apply(CURRENT, faults.parse(["npu=3", "link=DOWN"]))


@pytest.mark.parametrize(
    ("what", "well", "down"),
    [
        ("-link", "link status: UP", "link status: DOWN"),
        ("-net_health", "net health status: Success", "net health status: Fault"),
        ("-optical", "Rx Los Flag          : 0x0", "Rx Los Flag          : 0xff"),
        ("-stat", "roce_rx_err_pkt_num:0", "roce_rx_err_pkt_num:212"),
        ("-link_stat", "[devid 3]link change records :", "LINK DOWN"),
    ],
)
def test_port_states(what: str, well: str, down: str) -> None:
    assert well in hccn.answer(["-i", "3", what, "-g"], CURRENT)[0].splitlines()
    assert down in hccn.answer(["-i", "3", what, "-g"], DOWN)[0]


def test_addresses_are_those_of_the_node() -> None:
    assert hccn.answer(["-i", "1", "-ip", "-g"], CURRENT) == ("ipaddr:10.201.2.11\nnetmask:255.255.0.0\n", 0)
    other = state.initial("910B3", "24.1.0", 3)
    assert hccn.answer(["-i", "1", "-ip", "-g"], other)[0].startswith("ipaddr:10.201.3.11\n")


def test_what_does_not_exist_fails() -> None:
    gone = faults.apply(CURRENT, faults.parse(["drop-card", "3"]))
    for arguments, current in ((["-i", "9", "-ip", "-g"], CURRENT), (["-i", "3", "-ip", "-g"], gone)):
        assert hccn.answer(arguments, current) == ("Cmd execute failed!\n", 1)
    assert hccn.answer(["-i", "0", "-ip", "-g"], state.initial("310P3", "24.1.0"))[1] == 1
    assert hccn.answer(["-i", "0", "-ip", "-s"], CURRENT)[1] == 1
