"""Each built-in check, by causing what it looks for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from npu_agent import api
from npu_agent.health import built_in
from npu_agent.health.checks.disk import judge_room, on_network
from npu_agent.health.rules import shipped
from npu_agent.kernel_clock import KernelClock
from npu_agent.snapshot import Port, Readings
from unit.agent.fake_node import GIB, FakeNode
from unit.agent.recorded import first_row, second_row, table


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path)


def test_every_check_can_be_made_and_has_a_name_of_its_own() -> None:
    names = [check.name for check in built_in()]
    assert len(names) == len(set(names))
    assert set(names) == {
        "clock", "disk", "driver", "health-rules", "ip-forward", "memory", "metadata-guard", "nic", "npu", "npu-count",
        "npu-network", "probe", "storage",
    }  # fmt: skip


@pytest.mark.parametrize(("value", "state"), [("0\n", api.UNHEALTHY), ("1\n", api.HEALTHY), ("", api.UNKNOWN)])
def test_ip_forward(node: FakeNode, value: str, state: str) -> None:
    node.write("proc/sys/net/ipv4/ip_forward", value)
    node.cycles(1)
    assert node.state_of("ip-forward") == state


def test_nic_that_is_down_gone_or_of_another_mtu(node: FakeNode) -> None:
    node.cycles(1)
    assert node.state_of("nic") == api.HEALTHY
    node.write("sys/class/net/enp67s0f5/mtu", "9000\n")
    node.cycles(1)
    assert node.state_of("nic") == api.DEGRADED
    node.write("sys/class/net/enp67s0f5/operstate", "down\n")
    node.cycles(1)
    assert node.reason_of("nic") == "interface enp67s0f5 is down"
    (node.root / "sys/class/net/enp67s0f5/operstate").unlink()
    node.cycles(1)
    assert node.reason_of("nic") == "interface enp67s0f5 does not exist"


def test_nic_whose_address_is_gone(node: FakeNode) -> None:
    node.write_facts("nic", {"interface": "enp67s0f5", "mtu": 1500, "address": "10.1.0.11"})
    # The address of another node's, as a neighbour in the same table, does not count.
    trie = (
        "Local:\n           |-- 10.1.0.111\n              /32 host LOCAL\n           |-- 10.1.0.11\n              {}\n"
    )
    node.write("proc/net/fib_trie", trie.format("/32 host LOCAL"))
    node.start()
    node.cycles(1)
    assert node.state_of("nic") == api.HEALTHY
    node.write("proc/net/fib_trie", trie.format("/32 link BROADCAST"))
    node.cycles(1)
    assert node.state_of("nic") == api.UNHEALTHY
    assert "no longer has the address 10.1.0.11" in node.reason_of("nic")


def test_a_mount_that_went_away(node: FakeNode) -> None:
    node.write_facts("storage", {"mounts": {"/mnt/sfs turbo": "10.0.0.9:/"}})
    filler = "overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0\n" * 2000
    node.write("proc/self/mounts", filler + "10.0.0.9:/ /mnt/sfs\\040turbo nfs rw 0 0\n")
    node.cycles(1)
    assert node.state_of("storage/mnt/sfs turbo") == api.HEALTHY
    node.write("proc/self/mounts", filler)
    node.cycles(1)
    assert node.state_of("storage/mnt/sfs turbo") == api.UNHEALTHY
    assert node.reason_of("storage/mnt/sfs turbo") == "10.0.0.9:/ is not mounted on /mnt/sfs turbo"


def test_a_nic_name_never_leaves_its_folder(node: FakeNode) -> None:
    node.write_facts("nic", {"interface": "../../../etc"})
    node.start()
    node.cycles(1)
    assert node.state_of("nic") == api.DEGRADED


def test_a_node_where_the_host_network_is_not_guarded_is_told(node: FakeNode) -> None:
    node.write_facts("guard", {"host_network_guarded": False})
    node.start()
    node.cycles(1)
    assert node.state_of("metadata-guard") == api.DEGRADED
    assert node.monitor.view().ready


@pytest.mark.parametrize("key", ["exposed", "notes"])
def test_whom_the_guard_does_not_cover_is_named(node: FakeNode, key: str) -> None:
    node.guard = {"failures": [], "exposed": [], "notes": [], key: ["the container stray is covered by no rule"]}
    node.cycles(1)
    assert node.state_of("metadata-guard") == api.DEGRADED
    assert "stray" in node.reason_of("metadata-guard")
    assert node.monitor.view().ready


def test_a_guard_that_is_not_in_force_makes_the_node_unready(node: FakeNode) -> None:
    node.guard = {"failures": ["nft: there is no table"], "exposed": [], "notes": []}
    node.cycles(1)
    assert node.state_of("metadata-guard") == api.UNHEALTHY
    assert "no table" in node.reason_of("metadata-guard")


def test_a_guard_that_is_silent_is_not_healthy(node: FakeNode) -> None:
    node.cycles(1)
    assert node.state_of("metadata-guard") == api.HEALTHY
    node.guard = None
    node.wait(181)
    node.cycles(1)
    assert node.state_of("metadata-guard") == api.UNKNOWN
    assert "ago" in node.reason_of("metadata-guard")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"monotonic": "now"}', '{"monotonic": 900}', '{"monotonic": 1e9}'])
def test_a_guard_that_tells_nonsense_is_not_healthy(node: FakeNode, text: str) -> None:
    node.guard = None
    node.write("run/npufleet/metadata-guard.json", text)
    node.cycles(1)
    assert node.state_of("metadata-guard") == api.UNKNOWN


def test_driver_and_firmware_that_do_not_fit(node: FakeNode) -> None:
    node.write("usr/local/Ascend/firmware/version.info", "Version=7.5.0.1\n")
    node.start()
    node.cycles(1)
    assert node.state_of("driver") == api.DEGRADED
    assert "7.5.0.1" in node.reason_of("driver")


def test_a_driver_that_is_half_installed(node: FakeNode) -> None:
    node.write("etc/ascend_install.info", "Driver_Install_Status=installing\n")
    node.start()
    node.cycles(1)
    assert node.state_of("driver") == api.DEGRADED


def test_more_npus_than_configured(node: FakeNode) -> None:
    node.start(expected_npus=4)
    node.cycles(1)
    assert node.state_of("npu-count") == api.DEGRADED
    assert node.monitor.view().ready


def test_fewer_npus_than_configured(node: FakeNode) -> None:
    node.start(expected_npus=16)
    node.cycles(1)
    assert node.state_of("npu-count") == api.UNHEALTHY
    assert node.state_of("npu/15") == api.UNHEALTHY


def test_an_accelerator_that_is_dead_on_the_bus(node: FakeNode) -> None:
    for number in range(1, 9):
        node.write_pci(f"0000:{number:02x}:00.0", dead=number == 4)
    node.start()
    node.cycles(1)
    assert "0000:04:00.0" in node.reason_of("npu-count")
    node.write_pci("0000:04:00.0")
    node.start()
    node.cycles(1)
    assert node.state_of("npu-count") == api.HEALTHY


def test_an_accelerator_on_the_bus_that_the_tool_does_not_list(node: FakeNode) -> None:
    for number in range(1, 10):
        node.write_pci(f"0000:{number:02x}:00.0")
    node.start()
    node.cycles(1)
    assert node.state_of("npu-count") == api.DEGRADED
    assert "0000:09:00.0" in node.reason_of("npu-count")


@pytest.mark.parametrize(
    ("free", "inodes", "state"),
    [
        (100 * GIB, 10**6, api.HEALTHY),
        (100 * GIB, None, api.HEALTHY),
        (3 * GIB, 10**6, api.DEGRADED),
        (GIB // 2, 10**6, api.UNHEALTHY),
        (100 * GIB, 10, api.UNHEALTHY),
    ],
)
def test_room_on_a_disk(free: int, inodes: int | None, state: str) -> None:
    assert judge_room("disk/x", "/x", free, inodes, shipped()).state == state


def test_network_file_systems_are_known_without_touching_them() -> None:
    mounts = [("/", "ext4"), ("/var/lib/docker", "xfs"), ("/mnt/sfs", "nfs"), ("/mnt/sfs/local", "ext4")]
    assert on_network("/mnt/sfs/data", mounts)
    assert not on_network("/mnt/sfs/local/x", mounts)
    assert not on_network("/mnt/sfsx", mounts)
    assert not on_network("/var/lib/docker", mounts)


def test_a_disk_on_a_network_is_not_looked_at(node: FakeNode) -> None:
    node.write("proc/self/mounts", "server:/x /nowhere nfs rw 0 0\n")
    node.cycles(1)
    assert not [c for c in node.monitor.view().components if c.name.startswith("disk/")]


def test_a_mount_point_with_a_space_is_known(node: FakeNode) -> None:
    node.write("proc/self/mounts", "server:/x /no\\040where nfs rw 0 0\n")
    node.start(state_dir="/no where/state")
    node.cycles(1)
    assert [c.name for c in node.monitor.view().components if c.name.startswith("disk/")] == ["disk/nowhere/docker"]


@pytest.mark.parametrize(
    ("available", "state"), [(15000000, api.HEALTHY), (400000, api.DEGRADED), (50000, api.UNHEALTHY)]
)
def test_memory(node: FakeNode, available: int, state: str) -> None:
    node.cycles(1)
    node.write("proc/meminfo", f"MemTotal: 16000000 kB\nMemAvailable: {available} kB\n")
    node.cycles(1)
    assert node.state_of("memory") == api.HEALTHY  # one look at little memory is no verdict
    node.cycles(1)
    assert node.state_of("memory") == state


def test_memory_that_is_not_told_is_unknown(node: FakeNode) -> None:
    (node.root / "proc/meminfo").unlink()
    node.cycles(1)
    assert node.state_of("memory") == api.UNKNOWN


def test_a_clock_that_nobody_keeps(node: FakeNode) -> None:
    node.kernel = KernelClock(synchronised=False)
    node.cycles(1)
    assert (node.state_of("clock"), node.action_of("clock")) == (api.DEGRADED, "fix-configuration")
    node.write_rules("clock: {unsynchronised: healthy}\n")
    node.start()
    node.cycles(1)
    assert node.state_of("clock") == api.HEALTHY
    assert "no time server" in node.reason_of("clock")


def test_a_clock_that_may_be_wrong(node: FakeNode) -> None:
    node.kernel = KernelClock(synchronised=True, error_s=3.0)
    node.cycles(2)
    assert "3.0 s" in node.reason_of("clock")
    assert node.state_of("clock") == api.DEGRADED


def test_a_step_of_the_clock_is_told_for_a_while(node: FakeNode) -> None:
    node.cycles(2)
    assert node.state_of("clock") == api.HEALTHY
    node.clock.step_s = 3600.0
    node.cycles(1)
    assert node.reason_of("clock") == "the clock was set by +3600.0 s"
    assert node.state_of("clock") == api.DEGRADED
    node.wait(601)
    node.cycles(1)
    assert node.state_of("clock") == api.HEALTHY


def test_a_clock_that_was_lost(node: FakeNode) -> None:
    node.clock.step_s = -10 * 365 * 86400.0
    node.cycles(1)
    assert node.state_of("clock") == api.UNHEALTHY


def see_network(node: FakeNode, link: str | None, net_health: str | None = None) -> None:
    """What hccn_tool said of NPU 3 just now."""
    observer = node.monitor._observer
    observer._readings.network[3] = Port(link, net_health, taken_at={"link": node.clock.monotonic()})
    node.cycles(1)


@pytest.mark.parametrize(
    ("link", "net_health", "state", "action"),
    [
        ("UP", "Success", api.HEALTHY, "none"),
        ("UP", None, api.HEALTHY, "none"),
        ("UP", "Init", api.HEALTHY, "none"),
        ("UP", "Receive timeout", api.DEGRADED, "fix-configuration"),
        ("UP", "a word of tomorrow", api.DEGRADED, "fix-configuration"),
        ("DOWN", "Fault", api.DEGRADED, "fix-configuration"),
        ("PARTIAL LINK", "Success", api.DEGRADED, "fix-configuration"),
    ],
)
def test_the_network_port_of_an_npu(
    node: FakeNode, link: str | None, net_health: str | None, state: str, action: str
) -> None:
    see_network(node, link, net_health)
    assert (node.state_of("npu-network/3"), node.action_of("npu-network/3")) == (state, action)


def test_a_link_that_stays_down_takes_the_node_out(node: FakeNode) -> None:
    for _ in range(6):
        see_network(node, "DOWN")
    assert node.state_of("npu-network/3") == api.UNHEALTHY
    assert not node.monitor.view().ready


def test_an_old_answer_about_the_network_is_unknown(node: FakeNode) -> None:
    see_network(node, "UP")
    node.wait(200)
    node.cycles(1)
    assert node.state_of("npu-network/3") == api.UNKNOWN


def test_a_port_that_falls_silent_is_unknown(node: FakeNode) -> None:
    see_network(node, "UP")
    see_network(node, None)
    assert (node.state_of("npu-network/3"), node.action_of("npu-network/3")) == (api.UNKNOWN, "check-driver")


def test_a_port_that_was_not_asked_yet_is_unknown_where_there_is_a_tool(node: FakeNode) -> None:
    node.write("usr/local/Ascend/driver/tools/hccn_tool")
    node.start()
    node.cycles(1)
    asked = node.monitor._observer._readings.network
    asked.pop(3, None)
    node.monitor._observer._state = dataclasses.replace(node.monitor._observer._state, network=dict(asked))
    assert [c.name for c in node.monitor._judge(counts=False).components if c.name == "npu-network/3"]
    assert node.state_of("npu-network/3") == api.UNKNOWN


def test_an_npu_whose_port_never_told_of_a_link_has_no_such_component(node: FakeNode) -> None:
    see_network(node, None)
    assert not [c for c in node.monitor.view().components if c.name.startswith("npu-network")]


@pytest.mark.parametrize(
    ("pages", "state", "action"),
    [(63, api.HEALTHY, "none"), (64, api.UNHEALTHY, "replace-hardware")],
)
def test_isolated_pages(node: FakeNode, pages: int, state: str, action: str) -> None:
    numbers = {"hbm double bit isolated pages count": pages, "hbm single bit isolated pages count": 500}
    node.monitor._observer._readings.readings[3] = {"ecc": Readings(numbers, 0.0)}
    node.cycles(1)
    assert (node.state_of("npu/3"), node.action_of("npu/3")) == (state, action)


def test_an_npu_without_a_port_has_no_such_component(node: FakeNode) -> None:
    node.cycles(1)
    assert not [c for c in node.monitor.view().components if c.name.startswith("npu-network")]


def test_a_hot_chip(node: FakeNode) -> None:
    hot = [(first_row(n, temp="105" if n == 3 else "47"), second_row(f"0000:{n + 1:02X}:00.0")) for n in range(8)]
    node.cycles(1)
    node.smi.info = table(hot, idle=range(8))
    node.cycles(1)
    assert node.state_of("npu/3") == api.HEALTHY
    node.cycles(1)
    assert (node.state_of("npu/3"), node.action_of("npu/3")) == (api.UNHEALTHY, "fix-configuration")
    assert "105 C" in node.reason_of("npu/3")


def test_rules_of_the_site_that_are_wrong_are_told_and_the_shipped_ones_are_in_force(node: FakeNode) -> None:
    node.write_rules("thresholds: {nonsense: {}}\n")
    node.start()
    node.cycles(1)
    assert node.state_of("health-rules") == api.DEGRADED
    assert "nonsense" in node.reason_of("health-rules")
    assert node.state_of("npu/0") == api.HEALTHY


def test_a_tool_that_is_slow(node: FakeNode) -> None:
    node.smi.takes_s = 11.0
    node.cycles(3)
    assert node.state_of("probe") == api.DEGRADED
    assert "11.0 s" in node.reason_of("probe")
