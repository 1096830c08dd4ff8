"""Each built-in check, by causing what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from npu_agent import api
from npu_agent.health import built_in
from npu_agent.health.checks.disk import judge_room, on_network
from unit.agent.fake_node import GIB, FakeNode


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path)


def test_every_check_can_be_made_and_has_a_name_of_its_own() -> None:
    names = [check.name for check in built_in()]
    assert len(names) == len(set(names))
    assert {"npu", "npu-count", "driver", "probe", "ip-forward", "disk", "metadata-guard", "nic", "storage"} == set(
        names
    )


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


def test_a_guard_that_was_not_proven_is_told(node: FakeNode) -> None:
    node.write_facts("guard", {"host_network_guarded": False})
    node.start()
    node.cycles(1)
    assert node.state_of("metadata-guard") == api.DEGRADED
    assert node.monitor.view().ready


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
    assert judge_room("disk/x", "/x", free, inodes).state == state


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
