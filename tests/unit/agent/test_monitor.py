"""The monitor: what it says of a node, and when it says that it does not know."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from npu_agent import api
from npu_agent.health import Context, Verdict
from npu_agent.monitor import Monitor, MonitorSettings
from npu_agent.run import Completed
from unit.agent.fake_node import FakeNode
from unit.agent.recorded import first_row, healthy_table, read, second_row, table


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path)


def test_nothing_is_healthy_before_the_first_answer(node: FakeNode) -> None:
    view = node.monitor.view()
    assert not view.ready
    assert view.reasons[0] == "no complete probe yet"
    assert {npu.state for npu in view.npus} == {api.UNKNOWN}
    assert len(view.npus) == 8


def test_a_healthy_node_is_ready_after_one_look(node: FakeNode) -> None:
    view = node.monitor.cycle()
    assert view.ready, view.reasons
    assert view.state == api.HEALTHY
    assert [(npu.npu, npu.card, npu.chip, npu.device) for npu in view.npus] == [
        (number, number, 0, f"/dev/davinci{number}") for number in range(8)
    ]
    assert view.npus[0].hbm_used_mb == 4096
    assert (view.driver_version, view.chip, view.npu_count) == ("23.0.7", "910B3", 8)
    assert view.idle_npus == tuple(range(8))
    assert view.processes_complete


def test_an_alarm_is_believed_at_once_and_forgiven_after_two_good_looks(node: FakeNode) -> None:
    node.cycles(1)
    node.smi.info, node.smi.health = healthy_table(n3="Alarm"), {3: "80E01801"}
    view = node.monitor.cycle()
    assert not view.ready
    (reason,) = view.reasons
    assert reason.startswith("npu/3: unhealthy: npu-smi reports Alarm, code 80E01801 (")
    assert view.npus[3].error_codes == ["80E01801"]
    assert view.npus[3].action == "restart-workload"
    node.smi.heal()
    assert not node.monitor.cycle().ready
    assert node.monitor.cycle().ready
    assert node.monitor.view().npus[3].error_codes == []


def test_an_alarm_without_a_code_is_unhealthy_all_the_same(node: FakeNode) -> None:
    node.smi.info = healthy_table(n0="Critical")
    node.cycles(1)
    assert node.state_of("npu/0") == api.UNHEALTHY
    assert node.state_of("npu/1") == api.HEALTHY


def test_codes_outlive_the_word_and_are_watched_until_they_go(node: FakeNode) -> None:
    node.smi.health = {0: "80F78009"}
    node.cycles(1)
    assert node.monitor.view().npus[0].health == "OK"
    assert node.state_of("npu/0") == api.UNHEALTHY
    node.smi.heal()
    node.cycles(2)
    assert node.state_of("npu/0") == api.HEALTHY


@pytest.mark.parametrize("words", ["dcmi get device health failed. ret is -8006", "\tHealth Status : OK\n\tError C"])
def test_a_question_without_an_answer_takes_no_code_back(node: FakeNode, words: str) -> None:
    node.smi.health = {0: "80F78009"}
    node.cycles(1)
    node.smi.mute = words
    node.cycles(20)
    assert node.state_of("npu/0") == api.UNHEALTHY
    assert node.monitor.view().npus[0].error_codes == ["80F78009"]


def test_a_tool_that_cannot_be_killed_is_told_as_that(tmp_path: Path) -> None:
    # The next call fails at the lock that the hung one keeps; that alone would send the operator the wrong way.
    node = FakeNode(tmp_path)
    node.cycles(1)
    locked = "another program has held /run/npufleet/npu-smi.lock for more than 20 s"
    node.smi.fail = Completed(("npu-smi", "info"), None, stderr=locked, timed_out=True)
    node.monitor._observer._unkillable = lambda: 1
    node.cycles(4)
    assert (node.state_of("probe"), node.action_of("probe")) == (api.UNKNOWN, "reboot-node")
    assert "cannot be killed" in node.reason_of("probe")
    assert "cannot be killed" in node.reason_of("npu/3")


def test_a_hung_tool_is_unknown_within_three_intervals_even_while_it_hangs(node: FakeNode) -> None:
    node.cycles(1)
    node.wait(8)
    assert node.monitor.view().ready
    node.wait(3)
    # No cycle came back in between: the view alone has to notice.
    view = node.monitor.view()
    assert not view.ready
    assert view.stale
    assert {npu.state for npu in view.npus} == {api.UNKNOWN}
    assert {npu.health for npu in view.npus} == {None}
    assert {npu.temperature_c for npu in view.npus} == {None}
    assert view.npus[0].name == "910B3"
    assert view.idle_npus == ()


def test_a_time_out_is_told_as_one(node: FakeNode) -> None:
    node.cycles(1)
    node.smi.hang()
    node.cycles(1)
    assert node.state_of("probe") == api.DEGRADED
    assert node.state_of("npu/0") == api.HEALTHY
    node.cycles(3)
    assert node.state_of("probe") == api.UNKNOWN
    assert "20.0 s" in node.reason_of("npu/0")
    assert node.monitor.view().probe.errors["timeout"] == 4
    node.smi.heal()
    node.cycles(1)
    assert node.monitor.view().ready


def test_a_card_that_dropped_out_is_unhealthy_and_the_others_are_not(node: FakeNode) -> None:
    node.cycles(1)
    rows = [(first_row(n), second_row(f"0000:{n + 1:02X}:00.0")) for n in range(8) if n != 5]
    node.smi.info = table(rows, idle=[n for n in range(8) if n != 5])
    (node.root / "dev/davinci5").unlink()
    node.cycles(1)
    assert node.state_of("npu/5") == api.UNHEALTHY
    assert "off the bus" in node.reason_of("npu/5")
    assert node.action_of("npu/5") == "reboot-node"
    assert node.reason_of("npu-count") == "npu-smi lists 7 of 8 NPUs; missing: 5"
    assert node.state_of("npu/4") == api.HEALTHY
    assert node.monitor.view().npus[5].device is None


def test_a_card_missing_since_before_the_start_is_missed(node: FakeNode) -> None:
    node.write_facts("driver", {"davinci": list(range(8))})
    (node.root / "dev/davinci7").unlink()
    node.smi.info = healthy_table(7)
    node.start()
    node.cycles(1)
    assert node.state_of("npu/7") == api.UNHEALTHY
    assert node.state_of("npu-count") == api.UNHEALTHY


def test_a_cut_table_proves_nothing_about_the_rest(node: FakeNode) -> None:
    node.cycles(1)
    whole = healthy_table()
    node.smi.info = whole[: whole.index("| 5     910B3")]
    node.cycles(1)
    assert node.state_of("npu/7") == api.HEALTHY
    assert node.state_of("probe") == api.DEGRADED
    node.cycles(4)
    assert node.state_of("npu/0") == api.HEALTHY
    assert node.state_of("npu/7") == api.UNKNOWN


def test_a_cut_table_is_no_first_answer(node: FakeNode) -> None:
    whole = healthy_table()
    node.smi.info = whole[: whole.index("| 5     910B3")]
    node.cycles(1)
    view = node.monitor.view()
    assert not view.complete
    assert not view.ready


def test_a_chip_of_zeros_is_unknown(node: FakeNode) -> None:
    zeros = (first_row(7, "OK", "0.0", "0"), second_row("0000:00:00.0", "0    / 0"))
    rows = [(first_row(n), second_row(f"0000:{n + 1:02X}:00.0")) for n in range(7)]
    node.smi.info = table([*rows, zeros], idle=range(8))
    node.cycles(1)
    assert node.state_of("npu/7") == api.UNKNOWN
    assert "zeros" in node.reason_of("npu/7")
    assert not node.monitor.view().ready


def test_a_driver_that_is_not_ready_is_the_drivers_fault(node: FakeNode) -> None:
    node.cycles(1)
    node.smi.say(read("errors/8005_only.txt"), exit_code=187)
    node.cycles(1)
    assert node.state_of("driver") == api.UNHEALTHY
    assert node.action_of("driver") == "check-driver"
    assert "-8005" in node.reason_of("driver")


def test_an_occupied_device_is_no_hardware_fault(node: FakeNode) -> None:
    node.smi.say(read("errors/8020_device_used.txt"), exit_code=172)
    node.cycles(1)
    assert node.state_of("npu/0") == api.UNKNOWN
    assert node.action_of("npu/0") == "fix-configuration"
    assert node.state_of("driver") == api.HEALTHY


def test_without_a_mapping_there_is_no_guess(node: FakeNode) -> None:
    node.smi.mapping = "Failed to query mapping.\n"
    node.cycles(1)
    assert {npu.state for npu in node.monitor.view().npus} == {api.UNKNOWN}
    assert not node.monitor.view().complete
    node.smi.mapping = read("info_m/910A_8cards.txt")
    node.cycles(1)
    assert node.monitor.view().ready


def test_physical_ids_of_the_table_need_no_mapping(node: FakeNode) -> None:
    for number in range(2, 8):
        (node.root / f"dev/davinci{number}").unlink()
    node.smi.info, node.smi.mapping = read("info/910C_1npu_2chips_25.3.rc1.b020.txt"), ""
    node.start()
    view = node.monitor.cycle()
    assert [(npu.npu, npu.card, npu.chip) for npu in view.npus] == [(0, 0, 0), (1, 0, 1)]
    assert "info -m" not in node.smi.calls
    assert view.idle_npus == (0, 1)
    assert view.ready, view.reasons


def test_cards_with_holes_are_mapped(node: FakeNode) -> None:
    for number in range(1, 8):
        (node.root / f"dev/davinci{number}").unlink()
    node.smi.info = read("info/310P3_npuid224_25.2.3.txt")
    node.smi.mapping = read("info_m/310P3_npuid4_doc.txt").replace("4  ", "224")
    node.start()
    (npu,) = node.monitor.cycle().npus
    assert (npu.npu, npu.card, npu.name) == (0, 224, "310P3")


def test_processes_carry_the_npus_id(node: FakeNode) -> None:
    node.smi.info = read("info/910B3_8cards_busy_23.0.7.txt")
    view = node.monitor.cycle()
    assert [(process.npu, process.pid) for process in view.processes][:2] == [(0, 2439562), (1, 2439565)]
    assert view.idle_npus == ()


def test_quiet_chips_are_asked_in_turn(node: FakeNode) -> None:
    node.cycles(4)
    asked = [call.split()[4] for call in node.smi.calls if "-t health" in call]
    assert sorted(asked) == [str(number) for number in range(8)]
    node.cycles(1)
    assert len([call for call in node.smi.calls if "-t health" in call]) == 8


def test_a_slow_tool_does_not_make_its_own_answers_old(node: FakeNode) -> None:
    node.smi.takes_s = 4.0
    node.smi.info = healthy_table(n0="Alarm", n1="Alarm", n2="Alarm")
    for _ in range(6):
        node.monitor.cycle()
        assert not node.monitor.view().stale
        assert node.state_of("npu/7") == api.HEALTHY


def test_the_mapping_is_asked_for_once(node: FakeNode) -> None:
    node.cycles(5)
    assert node.smi.calls.count("info -m") == 1


def test_a_tool_that_is_not_there(node: FakeNode) -> None:
    (node.root / "usr/local/sbin/npu-smi").unlink()
    (node.root / "usr/local/sbin/npu-smi").mkdir()
    node.start()
    node.cycles(1)
    assert "not installed" in node.reason_of("driver")
    assert node.smi.calls == []


def test_a_broken_check_blinds_nobody(node: FakeNode) -> None:
    class Broken:
        name = "docker"

        def run(self, context: Context) -> Iterable[Verdict]:
            raise RuntimeError(f"no engine at {context.paths.root}")

    settings = MonitorSettings("node-1", run_dir=str(node.root / "run"), root=str(node.root), state_dir="/nowhere")
    view = Monitor(settings, clock=node.clock, run=node.smi, checks=[Broken()]).cycle()
    found = {component.name: component.state for component in view.components}
    assert found["docker"] == api.UNKNOWN
    assert found["npu/0"] == api.HEALTHY
    assert not view.ready


def test_holders_and_more_components_join_the_view(node: FakeNode) -> None:
    view = node.monitor.cycle()
    held = view.with_holders({3: api.Holder("container", "train")})
    assert [npu.npu for npu in held.npus if npu.holder] == [3]
    assert not view.with_components([api.Component("docker", api.UNHEALTHY, "no answer")]).ready
    assert view.with_components([api.Component("workload/a", api.UNHEALTHY, "exit code 1")]).ready


def test_sequence_tells_a_new_view(node: FakeNode) -> None:
    first = node.monitor.cycle()
    assert node.monitor.view() is first
    assert node.monitor.cycle().sequence > first.sequence
