"""The interface is the one that reaches the peers, or one sentence says why it cannot be told."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plugins.loading import load

network = load("filter/npufleet_network.py")


def link(name: str, *addresses: str, up: bool = True, kind: str = "physical", mtu: int = 1500) -> dict[str, Any]:
    owned = [{"address": a.split("/")[0], "prefix": int(a.split("/")[1]), "family": "inet"} for a in addresses]
    return {"name": name, "addresses": owned, "up": up, "kind": kind, "mtu": mtu, "master": None}


def route(interface: str | None, source: str | None = None, error: str | None = None) -> dict[str, Any]:
    return {"interface": interface, "source": source, "gateway": None, "error": error}


NODE = {
    "interfaces": [
        link("lo", "127.0.0.1/8", kind="loopback"),
        link("enp67s0f5", "10.0.0.11/24", mtu=8888),
        link("bond0.20", "10.1.0.11/16", "10.1.0.12/16", kind="vlan"),
        link("docker0", "172.17.0.1/16", kind="bridge"),
        link("enp2s0", "10.2.0.11/24", up=False),
        link("enp3s0"),
    ],
    "routes": {
        "10.0.0.12": route("enp67s0f5", "10.0.0.11"),
        "10.1.0.13": route("bond0.20", "10.1.0.12"),
        "172.17.0.9": route("docker0", "172.17.0.1"),
        "10.9.9.9": route(None, error="RTNETLINK answers: Network is unreachable"),
    },
}


def test_routes_to_the_peers_decide() -> None:
    found = network.npufleet_interface(NODE, peers=["10.0.0.12"])
    assert found == {
        "interface": "enp67s0f5",
        "address": "10.0.0.11",
        "prefix": 24,
        "mtu": 8888,
        "env": {
            "GLOO_SOCKET_IFNAME": "enp67s0f5",
            "TP_SOCKET_IFNAME": "enp67s0f5",
            "HCCL_SOCKET_IFNAME": "enp67s0f5",
            "HCCL_IF_IP": "10.0.0.11",
        },
    }


def test_the_address_is_the_one_that_the_kernel_would_send_from() -> None:
    assert network.npufleet_interface(NODE, peers=["10.1.0.13"])["address"] == "10.1.0.12"


@pytest.mark.parametrize(
    ("inputs", "interface", "address"),
    [
        ({"interface": "bond0.20", "peers": ["10.0.0.12"]}, "bond0.20", "10.1.0.12"),
        ({"subnet": "10.1.0.0/16", "peers": ["10.0.0.12"]}, "bond0.20", "10.1.0.11"),
        ({"subnet": "10.0.0.0/24"}, "enp67s0f5", "10.0.0.11"),
        ({"address": "10.1.0.11"}, "bond0.20", "10.1.0.11"),
        ({"address": "10.1.0.11", "peers": ["10.1.0.13"]}, "bond0.20", "10.1.0.11"),
    ],
)
def test_what_the_inventory_says_comes_first(inputs: dict[str, Any], interface: str, address: str) -> None:
    found = network.npufleet_interface(NODE, **inputs)
    assert (found["interface"], found["address"]) == (interface, address)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "nic_env_address"),
        ({"interface": "eth9"}, "no interface eth9"),
        ({"interface": "enp2s0"}, "is down"),
        ({"interface": "enp3s0"}, "no IPv4 address"),
        ({"subnet": "10.77.0.0/16"}, "no interface has an address in 10.77.0.0/16"),
        ({"subnet": "10.0.0.0/8"}, "several interfaces"),
        ({"peers": ["10.9.9.9"]}, "no route to the peer 10.9.9.9 (RTNETLINK answers: Network is unreachable)"),
        ({"peers": ["10.5.5.5"]}, "10.5.5.5"),
        ({"peers": ["10.0.0.12", "10.1.0.13"]}, "(10.1.0.13 by bond0.20, 10.0.0.12 by enp67s0f5)"),
        ({"peers": ["172.17.0.9"]}, "does not leave the node"),
        ({"address": "10.0.0.99"}, "no interface has the address 10.0.0.99"),
    ],
)
def test_one_sentence_says_why_not(inputs: dict[str, Any], words: str) -> None:
    found = network.npufleet_interface(NODE, **inputs)
    assert words in found["error"]
    assert set(found) == {"error"}


def test_peers_are_the_other_nodes_by_their_training_address() -> None:
    hostvars = {
        "a": {"ansible_host": "10.0.0.1"},
        "b": {"ansible_host": "10.0.0.2", "nic_env_address": "10.1.0.2"},
        "c": {"ansible_host": "node-c.example.org"},
        "d": {"nic_env_peer_addresses": ["10.1.0.2"]},
    }
    assert network.npufleet_peer_addresses(["a", "b", "c"], hostvars, "a") == ["10.1.0.2"]
    assert network.npufleet_peer_addresses(["a", "b", "c"], hostvars, "c") == ["10.0.0.1", "10.1.0.2"]
    assert network.npufleet_peer_addresses(["a", "b", "d"], hostvars, "d") == ["10.1.0.2"]


OURS = "/etc/sysctl.d/99-npufleet-ip-forward.conf"


@pytest.mark.parametrize(
    ("files", "opponents"),
    [
        ([(OURS, "1")], []),
        ([("/etc/sysctl.d/10-a.conf", "0"), (OURS, "1")], []),
        ([(OURS, "1"), ("/etc/sysctl.d/99-sysctl.conf", "0")], ["/etc/sysctl.d/99-sysctl.conf"]),
        ([(OURS, "1"), ("/etc/sysctl.d/99-z.conf", "1")], []),
        ([("/etc/sysctl.d/10-a.conf", "0"), ("/etc/sysctl.conf", "0")], ["/etc/sysctl.conf"]),
    ],
)
def test_only_files_that_win_at_boot_are_opponents(files: list[tuple[str, str]], opponents: list[str]) -> None:
    listed = [{"path": path, "value": value} for path, value in files]
    assert [file["path"] for file in network.npufleet_sysctl_after(listed, OURS)] == opponents
