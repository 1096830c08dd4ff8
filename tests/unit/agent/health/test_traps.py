"""The traps of npu-smi's health: where its answer says less, or something else, than it seems to."""

from __future__ import annotations

from pathlib import Path

import pytest

from npu_agent import api
from npu_agent.health.npu import by_codes
from unit.agent.fake_node import FakeNode
from unit.agent.recorded import first_row, healthy_table, second_row, table


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path)


def rows(count: int = 8) -> list[tuple[str, ...]]:
    return [(first_row(npu), second_row(f"0000:{npu + 1:02X}:00.0")) for npu in range(count)]


def test_trap_1_ok_with_only_zeros_was_not_read(node: FakeNode) -> None:
    found = rows()
    found[3] = (first_row(3, power="0.0", temp="0", name=""), second_row("0000:00:00.0", hbm="0    / 0"))
    node.smi.info = table(found, idle=range(8))
    node.cycles(1)
    assert node.state_of("npu/3") == api.UNKNOWN
    assert "could not read the chip" in node.reason_of("npu/3")
    assert node.state_of("npu/2") == api.HEALTHY
    assert not node.monitor.view().ready


def test_trap_2_a_lost_heartbeat_leaves_zeros_behind_any_word(node: FakeNode) -> None:
    found = rows()
    found[3] = (first_row(3, "Warning", power="0.0", temp="0"), second_row("0000:04:00.0", hbm="0    / 0"))
    node.smi.info = table(found, idle=range(8))
    node.cycles(1)
    assert node.state_of("npu/3") in (api.UNKNOWN, api.DEGRADED)
    assert not [npu for npu in node.monitor.view().npus if npu.npu == 3 and npu.state == api.HEALTHY]


def test_trap_3_a_chip_whose_first_row_is_missing_is_not_healthy(node: FakeNode) -> None:
    node.cycles(1)
    found = rows()
    found[3] = (second_row("0000:04:00.0"),)
    node.smi.info = table(found, idle=range(8))
    node.cycles(4)
    assert node.state_of("npu/3") != api.HEALTHY
    assert node.state_of("npu/4") == api.HEALTHY


def test_trap_4_ok_in_the_detail_does_not_take_an_alarm_back(node: FakeNode) -> None:
    # The fake tool's detail says OK and no code, as the real one does where it captured none.
    node.smi.info = healthy_table(n3="Alarm")
    node.cycles(2)
    assert (node.state_of("npu/3"), node.action_of("npu/3")) == (api.UNHEALTHY, "reset-npu-when-idle")
    assert "without an error code" in node.reason_of("npu/3")


@pytest.mark.parametrize(
    "words",
    [
        "npu_get_card_device_id failed. err is -8008\n",
        "Failed to get device type.\n",
        "Failed to query card chip total info.\n",
        "Failed to query card total info.\n",
    ],
)
def test_trap_5_one_bad_card_that_takes_the_table_away_makes_all_unknown(node: FakeNode, words: str) -> None:
    node.cycles(1)
    node.smi.say(words, exit_code=255)
    node.cycles(1)
    assert node.state_of("probe") != api.HEALTHY
    node.cycles(4)
    assert {npu.state for npu in node.monitor.view().npus} == {api.UNKNOWN}
    assert not node.monitor.view().ready


def test_trap_6_a_card_off_the_bus_is_simply_not_listed(node: FakeNode) -> None:
    node.cycles(1)
    node.smi.info = table([row for npu, row in enumerate(rows()) if npu != 5], idle=[0, 1, 2, 3, 4, 6, 7])
    node.cycles(1)
    assert (node.state_of("npu-count"), node.action_of("npu-count")) == (api.UNHEALTHY, "reboot-node")
    assert (node.state_of("npu/5"), node.action_of("npu/5")) == (api.UNHEALTHY, "reboot-node")


@pytest.mark.parametrize(
    ("word", "code", "state", "action"),
    [
        ("Alarm", "80E3A203", api.UNHEALTHY, "reset-npu"),
        ("Alarm", "80E3A201", api.UNHEALTHY, "replace-hardware"),
        ("Critical", "80E01801", api.UNHEALTHY, "restart-workload"),
        ("Warning", "80818C00", api.UNHEALTHY, "replace-hardware"),
        ("Warning", "80C98008", api.DEGRADED, "restart-workload"),
        ("OK", "80F78009", api.UNHEALTHY, "reset-npu"),
    ],
)
def test_trap_7_the_severity_is_not_the_repair(word: str, code: str, state: str, action: str) -> None:
    found = by_codes("npu/0", word, (code,))
    assert (found.state, found.action) == (state, action)


def test_trap_8_a_code_that_nobody_knows_is_not_passed_over(node: FakeNode) -> None:
    # The driver gives an event without a configured severity the word Warning.
    node.smi.info, node.smi.health = healthy_table(n3="Warning"), {3: "FFFFFFF0"}
    node.cycles(2)
    assert (node.state_of("npu/3"), node.action_of("npu/3")) == (api.DEGRADED, "none")
    assert "FFFFFFF0" in node.reason_of("npu/3")


def test_one_chip_of_a_card_is_bad_alone(node: FakeNode) -> None:
    node.smi.info = healthy_table(n4="Critical")
    node.cycles(1)
    states = [npu.state for npu in node.monitor.view().npus]
    assert states.count(api.UNHEALTHY) == 1
    assert states.count(api.HEALTHY) == 7
