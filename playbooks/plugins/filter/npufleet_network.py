"""Which interface carries the traffic to the peers, and why it cannot be told where it cannot."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

VARIABLES = ("GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME", "HCCL_SOCKET_IFNAME")


class CannotTellError(Exception):
    """The interface is unknown; the message says why and what to do."""


def is_address(text: Any) -> bool:
    try:
        ipaddress.IPv4Address(str(text))
    except ValueError:
        return False
    return True


def npufleet_peer_addresses(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], own: str) -> list[str]:
    """IPv4 addresses of the other nodes: as this node is told, else as the inventory names them."""
    told = hostvars[own].get("nic_env_peer_addresses")
    if told:
        return [str(address) for address in told]
    candidates = (address_of(hostvars[host]) for host in hosts if host != own)
    return [address for address in candidates if address]


def address_of(variables: Mapping[str, Any]) -> str | None:
    for name in ("nic_env_address", "ansible_host"):
        if is_address(variables.get(name)):
            return str(variables[name])
    return None


def npufleet_interface(
    network: Mapping[str, Any], interface: str = "", subnet: str = "", address: str = "", peers: Sequence[str] = ()
) -> dict[str, Any]:
    """The facts of the interface to the peers, or `error`: one sentence with the remedy."""
    try:
        name, why = choose(network, interface, subnet, address, peers)
        return usable(network, name, why, subnet, address)
    except CannotTellError as problem:
        return {"error": str(problem)}


def choose(
    network: Mapping[str, Any], interface: str, subnet: str, address: str, peers: Sequence[str]
) -> tuple[str, str]:
    """Name of the interface, and the words for how it was found."""
    if interface:
        return interface, "nic_env_interface names it"
    if subnet:
        return by_subnet(network, subnet), f"it has an address in {subnet}"
    if peers:
        return by_routes(network, peers), "the routes to the peers leave by it"
    if is_address(address):
        return by_address(network, address), f"it has the node's address {address}"
    raise CannotTellError(
        "no peer, subnet or address is known, so the interface to the peers cannot be told; "
        "set nic_env_address for the nodes, or nic_env_subnet, or nic_env_interface."
    )


def by_subnet(network: Mapping[str, Any], subnet: str) -> str:
    wanted = ipaddress.ip_network(subnet, strict=False)
    names = [
        link["name"]
        for link in network["interfaces"]
        if any(ipaddress.ip_address(own["address"]) in wanted for own in link["addresses"])
    ]
    if not names:
        raise CannotTellError(
            f"no interface has an address in {subnet}; give one an address there or correct nic_env_subnet."
        )
    if len(set(names)) > 1:
        raise CannotTellError(
            f"several interfaces have addresses in {subnet} ({', '.join(names)}); name one in nic_env_interface."
        )
    return str(names[0])


def by_routes(network: Mapping[str, Any], peers: Sequence[str]) -> str:
    ways: dict[str, str] = {}
    for peer in peers:
        route = network["routes"].get(peer) or {"error": "it was not asked for", "interface": None}
        if route["error"] or not route["interface"]:
            raise CannotTellError(
                f"there is no route to the peer {peer} ({route['error']}); "
                "connect the node to the peers' network or correct the peer's nic_env_address."
            )
        ways.setdefault(route["interface"], peer)
    if len(ways) > 1:
        told = ", ".join(f"{peer} by {name}" for name, peer in sorted(ways.items()))
        raise CannotTellError(
            f"the peers are reached by different interfaces ({told}); "
            "set nic_env_address of every node to its address on the training network, or nic_env_subnet."
        )
    return next(iter(ways))


def by_address(network: Mapping[str, Any], address: str) -> str:
    for link in network["interfaces"]:
        if any(own["address"] == address for own in link["addresses"]):
            return str(link["name"])
    raise CannotTellError(f"no interface has the address {address}; correct nic_env_address.")


def usable(network: Mapping[str, Any], name: str, why: str, subnet: str, address: str) -> dict[str, Any]:
    link = next((link for link in network["interfaces"] if link["name"] == name), None)
    if link is None:
        there = ", ".join(str(link["name"]) for link in network["interfaces"])
        raise CannotTellError(
            f"there is no interface {name}; this node has {there}. Leave nic_env_interface empty to find it."
        )
    if link["kind"] == "loopback" or name == "docker0" or name.startswith("br-"):
        raise CannotTellError(
            f"{name} ({why}) does not leave the node, so no peer is reached by it; correct the peers' nic_env_address."
        )
    if not link["up"]:
        raise CannotTellError(f"{name} ({why}) is down; bring it up (ip link set {name} up) and look at its cable.")
    own = own_address(network, link, subnet, address)
    return {
        "interface": name,
        "address": own["address"],
        "prefix": own["prefix"],
        "mtu": link["mtu"],
        "env": {**dict.fromkeys(VARIABLES, name), "HCCL_IF_IP": own["address"]},
    }


def own_address(network: Mapping[str, Any], link: Mapping[str, Any], subnet: str, address: str) -> Mapping[str, Any]:
    """The address on the interface that the peers see: the one that is told, routed from, in the subnet, or first."""
    owned = [item for item in link["addresses"] if item["family"] == "inet"]
    sources = {r["source"] for r in network["routes"].values() if r["interface"] == link["name"]}
    wanted = ipaddress.ip_network(subnet, strict=False) if subnet else None
    tests = (
        lambda item: item["address"] == address,
        lambda item: wanted is not None and ipaddress.ip_address(item["address"]) in wanted,
        lambda item: item["address"] in sources,
        bool,
    )
    for test in tests:
        for item in owned:
            if test(item):
                return dict(item)
    raise CannotTellError(f"{link['name']} has no IPv4 address; give it one on the peers' network.")


def npufleet_sysctl_after(files: Sequence[Mapping[str, str]], path: str) -> list[Mapping[str, str]]:
    """Files that switch a setting off and are applied after ours, or would be when ours is not written yet."""
    order = [file["path"] for file in files]
    if path in order:
        later = files[order.index(path) + 1 :]
    else:
        later = [f for f in files if f["path"] == "/etc/sysctl.conf" or Path(f["path"]).name > Path(path).name]
    return [file for file in later if file["value"] == "0"]


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {
            "npufleet_sysctl_after": npufleet_sysctl_after,
            "npufleet_peer_addresses": npufleet_peer_addresses,
            "npufleet_interface": npufleet_interface,
        }
