"""The interface is the one that reaches the peers, or one sentence says why it cannot be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unit.plugins.loading import load

from ansible.module_utils.npufleet import network as facts  # isort: skip  # found through the import above

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
        # The interface of its own network is down, so the default gateway's is left.
        "10.2.0.12": route("enp67s0f5", "10.0.0.11"),
        "10.9.9.9": route(None, error="RTNETLINK answers: Network is unreachable"),
    },
}


def test_routes_to_the_peers_decide() -> None:
    found = network.npufleet_interface(NODE, peers=["10.0.0.12"])
    assert found == {
        "interface": "enp67s0f5",
        "address": "10.0.0.11",
        "prefix": 24,
        "network": "10.0.0.0/24",
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
        ({"reached_at": "10.1.0.11"}, "bond0.20", "10.1.0.11"),
        ({"reached_at": "10.0.0.11", "peers": ["10.1.0.13"]}, "bond0.20", "10.1.0.12"),
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
        (
            {"peers": ["10.2.0.12"]},
            "enp2s0 has an address in the network of the peer 10.2.0.12 but is down, and the route",
        ),
        ({"address": "10.0.0.11", "peers": ["10.1.0.13"]}, "and not the address 10.0.0.11 that nic_env_address tells"),
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


CASES = Path(__file__).resolve().parents[3] / "cases/ip"
# A server with its management bridge over a card, a bond with one dead cable, two VLANs on it, and Docker's bridges.
SERVER = {
    "interfaces": facts.interfaces((CASES / "bond_vlan_bridges.json").read_text(encoding="utf-8")),
    "routes": {
        "10.1.0.12": route("bond0.120", "10.1.0.11"),
        "10.2.0.12": route("bond0", "10.2.0.11"),
        "10.3.0.12": route("br-mgmt", "192.168.0.11"),
        "192.168.0.12": route("br-mgmt", "192.168.0.11"),
        "172.17.0.5": route("docker0", "172.17.0.1"),
        "172.18.0.5": route("br-3f1c8e0a77d2", "172.18.0.1"),
    },
}


@pytest.mark.parametrize(
    ("inputs", "interface", "address", "mtu"),
    [
        ({"peers": ["10.1.0.12"]}, "bond0.120", "10.1.0.11", 8996),
        ({"peers": ["10.2.0.12"]}, "bond0", "10.2.0.11", 9000),
        ({"subnet": "10.1.0.0/16"}, "bond0.120", "10.1.0.11", 8996),
        ({"peers": ["192.168.0.12"]}, "br-mgmt", "192.168.0.11", 1500),
    ],
)
def test_bonds_vlans_and_bridges_over_a_card_carry_traffic(
    inputs: dict[str, Any], interface: str, address: str, mtu: int
) -> None:
    found = network.npufleet_interface(SERVER, **inputs)
    assert (found.get("interface"), found.get("address"), found.get("mtu")) == (interface, address, mtu), found
    assert found["env"]["HCCL_IF_IP"] == address


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"interface": "enp67s0f4"}, "enp67s0f4 is a part of bond0 and has no address of its own; name bond0 instead"),
        ({"interface": "enp67s0f5"}, "enp67s0f5 (nic_env_interface names it) is down"),
        ({"interface": "bond0.130"}, "bond0.130 (nic_env_interface names it) is down"),
        ({"subnet": "10.3.0.0/24"}, "bond0.130 (it has an address in 10.3.0.0/24) is down"),
        ({"peers": ["10.3.0.12"]}, "bond0.130 has an address in the network of the peer 10.3.0.12 but is down"),
        ({"peers": ["10.3.0.12"]}, "the route to it goes by br-mgmt"),
        ({"peers": ["172.17.0.5"]}, "docker0 (the routes to the peers leave by it) does not leave the node"),
        ({"peers": ["172.18.0.5"]}, "br-3f1c8e0a77d2 (the routes to the peers leave by it) does not leave the node"),
        ({"interface": "lo"}, "does not leave the node"),
    ],
)
def test_what_carries_no_traffic_to_peers_is_told(inputs: dict[str, Any], words: str) -> None:
    assert words in network.npufleet_interface(SERVER, **inputs)["error"]


ONE = {"mtu": 9000, "network": "10.1.0.0/16"}
GROUP = {"a": ONE, "b": ONE, "c": {**ONE, "mtu": 1500}}


def test_only_the_node_that_differs_from_its_group_is_told() -> None:
    assert network.npufleet_group_disagreements(GROUP) == {"c": {"mtu": "1500, but a, b have 9000"}}
    assert network.npufleet_group_disagreements({"a": ONE, "b": ONE}) == {}
    assert network.npufleet_group_disagreements({}) == {}


def test_where_no_value_is_most_common_every_node_is_told() -> None:
    pair = {"a": GROUP["a"], "c": GROUP["c"]}
    told = {"a": {"mtu": "9000, but c has 1500"}, "c": {"mtu": "1500, but a has 9000"}}
    assert network.npufleet_group_disagreements(pair) == told


def test_a_node_whose_interface_cannot_be_told_is_not_compared() -> None:
    assert network.npufleet_group_disagreements({"a": ONE, "b": {"error": "no route"}}) == {}


def test_a_large_group_is_not_listed_whole() -> None:
    group = {f"n{i}": ONE for i in range(7)} | {"x": {**ONE, "network": "10.2.0.0/16"}}
    told = network.npufleet_group_disagreements(group)
    assert told == {"x": {"network": "10.2.0.0/16, but n0, n1, n2, n3 and 3 more have 10.1.0.0/16"}}
