"""The slowest tier: every NPU gets its turn, and the table never waits for it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from npu_agent.probe.tools import Hccn, NpuSmi
from npu_agent.readings import ReadingInquiry, Tools, limits_s
from npu_agent.snapshot import Sighting
from unit.agent.fake_node import FakeNode, FakeSmi, StillClock
from unit.agent.recorded import healthy_table, read

ECC = read("other/910A_ecc_i1_doc.txt")


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    found = FakeNode(tmp_path)
    found.write("usr/local/Ascend/driver/tools/hccn_tool")
    found.smi.hccn = {
        "-link": "link status: UP\n",
        "-net_health": "net health status: Success\n",
        "-ip": "ipaddr:10.0.0.7\nnetmask:255.255.255.0\n",
    }
    found.start()
    return found


def asked(node: FakeNode, words: str) -> list[str]:
    return [call for call in node.smi.calls if words in call]


def test_every_port_is_described_within_a_few_rounds(node: FakeNode) -> None:
    node.cycles(12)
    ports = node.monitor._observer.snapshot().network
    assert sorted(ports) == list(range(8))
    assert {(port.link, port.net_health) for port in ports.values()} == {("UP", "Success")}
    assert ports[3].taken_at["link"] > 0
    assert ports[3].observed_at is not None


def test_what_the_tool_does_not_tell_stays_unknown(node: FakeNode) -> None:
    node.smi.hccn = {}
    node.cycles(12)
    ports = node.monitor._observer.snapshot().network
    assert {(port.link, port.net_health, port.address) for port in ports.values()} == {(None, None, None)}


def test_a_port_that_falls_silent_is_not_described_by_what_it_said(node: FakeNode) -> None:
    node.cycles(12)
    del node.smi.hccn["-link"]
    node.cycles(30)
    assert {port.link for port in node.monitor._observer.snapshot().network.values()} == {None}


def test_without_the_tool_there_are_no_ports(tmp_path: Path) -> None:
    node = FakeNode(tmp_path)
    node.cycles(6)
    assert node.monitor._observer.snapshot().network == {}
    assert asked(node, " -g") == []


def test_news_does_not_wait_for_other_questions(node: FakeNode) -> None:
    node.cycles(3)
    node.smi.info, node.smi.health = healthy_table(n5="Alarm"), {5: "80E01801"}
    node.smi.calls.clear()
    node.cycles(1)
    assert node.smi.calls == ["info", "info -t health -i 5 -c 0"]
    assert node.monitor.view().npus[5].error_codes == ["80E01801"]
    node.smi.calls.clear()
    node.cycles(1)
    assert len(node.smi.calls) > 2


def test_every_question_has_a_limit_that_fits_how_often_it_is_asked() -> None:
    limits = limits_s(60.0)
    assert limits["link"] == 180
    assert limits["ecc"] > 5 * 60
    assert set(limits) == {
        "link", "net_health", "ip", "stat", "link_stat", "optical", "usages", "ecc", "common", "memory",
    }  # fmt: skip


def test_a_question_without_support_is_not_asked_again_soon(node: FakeNode) -> None:
    node.smi.mute = "This device does not support querying ecc.\n"
    node.cycles(24, interval_s=5.0)
    assert 0 < len(asked(node, "ecc")) <= 8


def test_the_look_comes_every_interval_however_much_there_is_to_ask(node: FakeNode) -> None:
    begun = [node.clock.at]
    for _ in range(20):
        node.cycles(1)
        begun.append(node.clock.at)
    assert max(after - before for before, after in itertools.pairwise(begun)) <= 5.0 + 0.3
    assert len(asked(node, "net_health")) >= 8


def test_a_slow_tool_gets_few_questions(node: FakeNode) -> None:
    node.smi.takes_s = 2.4
    node.cycles(2)
    longer = 0
    for _ in range(12):
        before = node.clock.at
        node.cycles(1)
        longer += node.clock.at - before > 5.0
    assert 0 < longer <= 6  # a question that cannot end in time is asked now and then, not in every round
    assert asked(node, " -g")


def test_sixteen_npus_do_not_hide_a_fault_for_longer_than_an_interval(node: FakeNode) -> None:
    rows = "\n".join(f"\t{n}  0  {n}  Ascend 910B3" for n in range(16))
    node.smi.mapping = f"\tNPU ID  Chip ID  Chip Logic ID  Chip Name\n{rows}\n"
    node.smi.info = healthy_table(16)
    for number in range(16):
        node.write(f"dev/davinci{number}")
    node.cycles(3)
    node.smi.info = healthy_table(16, n11="Critical")
    broken_at, seen_at = node.clock.at, []
    node.monitor.cycle(lambda: seen_at.append((node.clock.at, node.state_of("npu/11"))))
    assert seen_at[0][1] == "unhealthy"
    assert seen_at[0][0] - broken_at <= 0.3 + 0.01  # the run of npu-smi info itself, and no other question


def test_a_question_that_hangs_neither_makes_the_table_old_nor_comes_again_at_once(node: FakeNode) -> None:
    node.cycles(2)
    node.smi.hang_on = "-net_health"
    node.cycles(8)
    limits = [limit for call, limit in zip(node.smi.calls, node.smi.limits, strict=True) if "-net_health" in call]
    assert max(limits) <= 10.0  # two intervals; the table is old after three
    node.smi.calls.clear()
    node.smi.limits.clear()
    node.cycles(6)
    assert len(asked(node, "-net_health")) <= 1
    assert len(asked(node, "info")) >= 6
    assert node.monitor.view().ready
    assert not node.monitor.view().stale


def test_counters_are_read_with_their_age(tmp_path: Path) -> None:
    clock = StillClock()
    smi = FakeSmi(clock, mute=ECC)
    tools = Tools(NpuSmi("/npu-smi", smi, tmp_path / "lock", 5.0), Hccn("/hccn_tool", smi, tmp_path / "lock", 5.0))
    inquiry = ReadingInquiry(clock, 60.0)
    node = FakeNode(tmp_path / "node")
    node.cycles(1)
    seen: dict[int, Sighting] = dict(list(node.monitor._observer.snapshot().sightings.items())[:1])
    assert inquiry.ask(seen, tools, clock.at + 60)
    assert inquiry.of(0)["ecc"].numbers["hbm double bit error count"] == 0
    assert inquiry.of(0)["ecc"].taken_at == pytest.approx(clock.at, abs=5)


def test_a_port_that_was_bad_is_asked_before_all_that_is_as_overdue(tmp_path: Path) -> None:
    clock = StillClock()
    smi = FakeSmi(clock, hccn={"-link": "link status: UP\n", "-net_health": "net health status: Success\n"})
    tools = Tools(NpuSmi("/npu-smi", smi, tmp_path / "lock", 5.0), Hccn("/hccn_tool", smi, tmp_path / "lock", 5.0))
    inquiry = ReadingInquiry(clock, 60.0)
    node = FakeNode(tmp_path / "node")
    node.cycles(1)
    seen = node.monitor._observer.snapshot().sightings
    assert inquiry.ask(seen, tools, clock.at + 3600)
    inquiry.network[5] = replace(inquiry.network[5], link="DOWN")
    inquiry.network[6] = replace(inquiry.network[6], net_health="Unreachable")
    clock.at += 3600
    smi.calls.clear()
    assert inquiry.ask(seen, tools, clock.at + 1.0)
    assert smi.calls[:2] == ["-i 5 -link -g", "-i 6 -net_health -g"]


def test_a_table_that_was_cut_at_a_rule_proves_no_absence(tmp_path: Path) -> None:
    node = FakeNode(tmp_path)
    lines = read("info/310P3_1card_npu6_25.3.rc1.txt").splitlines()
    whole = "\n".join(lines[1:-1]) + "\n" + lines[-3] + "\n"  # its recorder lost the last rule
    node.smi.info = whole
    node.smi.mapping = "NPU ID  Chip ID  Chip Logic ID  Chip Name\n6  0  0  310P3\n"
    node.cycles(1)
    assert node.monitor._observer.snapshot().absent == frozenset(range(1, 8))
    node.start()
    node.smi.info = healthy_table()
    node.smi.mapping = read("info_m/910A_8cards.txt")
    node.cycles(1)
    node.smi.info = "\n".join(lines[1:10]) + "\n"
    node.cycles(1)
    assert node.monitor._observer.snapshot().absent == frozenset()


def test_the_drivers_own_files_name_who_has_an_npu_open(tmp_path: Path) -> None:
    node = FakeNode(tmp_path)
    node.write(
        "proc/uda/udevice", "udevid 3 type(davinci) status 'ready, sia'\n        has used by container, ns id 7\n"
    )
    node.write("proc/uda/namespace_node", "ns_id 7 identify a root_tgid 4711 dev_num 1 namespace 00ff, udev list:\n")
    node.cycles(1)
    assert node.monitor.view().roots == {3: (4711,)}
    node.write("proc/uda/udevice", "")
    node.cycles(13)
    assert node.monitor.view().roots == {}
