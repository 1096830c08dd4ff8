"""Which interface carries the traffic to the peers, and why it cannot be told where it cannot."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# Ports of a bridge that lead to containers and virtual machines of this node, not to the network.
INNER_KINDS = ("veth", "tun", "tap", "dummy", "ifb")
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


def npufleet_interface(  # each is an input of the role
    network: Mapping[str, Any],
    interface: str = "",
    subnet: str = "",
    address: str = "",
    peers: Sequence[str] = (),
    reached_at: str = "",
) -> dict[str, Any]:
    """The facts of the interface to the peers, or `error`: one sentence with the remedy.

    `address` is the node's own as it was told; `reached_at` is where Ansible reaches the node, which is only a hint.
    """
    try:
        name, why = choose(network, interface, subnet, address or reached_at, peers)
        return usable(network, name, why, subnet, address or reached_at, told=bool(address))
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
        by_its_own_network(network, peer, route["interface"])
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


def by_its_own_network(network: Mapping[str, Any], peer: str, interface: str | None) -> None:
    """An interface of the peer's own network that is down leaves the route to another, often the default gateway's."""
    homes = [
        link
        for link in network["interfaces"]
        for own in link["addresses"]
        if own["family"] == "inet" and ipaddress.ip_address(peer) in network_of(own)
    ]
    if homes and interface not in [link["name"] for link in homes]:
        link = homes[0]
        state = "is up" if link["up"] else "is down"
        way = f"goes by {interface}" if interface else "is missing"
        raise CannotTellError(
            f"{link['name']} has an address in the network of the peer {peer} but {state}, and the route to it {way}; "
            f"bring {link['name']} up (ip link set {link['name']} up), look at its cable, or correct the route."
        )


def network_of(address: Mapping[str, Any]) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(f"{address['address']}/{address['prefix']}", strict=False)


def by_address(network: Mapping[str, Any], address: str) -> str:
    for link in network["interfaces"]:
        if any(own["address"] == address for own in link["addresses"]):
            return str(link["name"])
    raise CannotTellError(f"no interface has the address {address}; correct nic_env_address.")


def usable(network: Mapping[str, Any], name: str, why: str, subnet: str, address: str, *, told: bool) -> dict[str, Any]:
    link = next((link for link in network["interfaces"] if link["name"] == name), None)
    if link is None:
        there = ", ".join(str(link["name"]) for link in network["interfaces"])
        raise CannotTellError(
            f"there is no interface {name}; this node has {there}. Leave nic_env_interface empty to find it."
        )
    if stays_inside(network, link):
        raise CannotTellError(
            f"{name} ({why}) does not leave the node, so no peer is reached by it; correct the peers' nic_env_address."
        )
    if not link["up"]:
        raise CannotTellError(f"{name} ({why}) is down; bring it up (ip link set {name} up) and look at its cable.")
    own = own_address(network, link, subnet, address)
    if told and is_address(address) and own["address"] != address:
        raise CannotTellError(
            f"{name} ({why}) has {own['address']} and not the address {address} that nic_env_address tells; "
            "correct one of them."
        )
    return {
        "interface": name,
        "address": own["address"],
        "prefix": own["prefix"],
        "network": str(network_of(own)),
        "mtu": link["mtu"],
        "env": {**dict.fromkeys(VARIABLES, name), "HCCL_IF_IP": own["address"]},
    }


def stays_inside(network: Mapping[str, Any], link: Mapping[str, Any]) -> bool:
    """Loopback and the like, and bridges that no interface of the node is a port of, as Docker's are."""
    ports = [other for other in network["interfaces"] if other.get("master") == link["name"]]
    if link["kind"] == "bridge":
        return all(port["kind"] in INNER_KINDS for port in ports)
    return link["kind"] in ("loopback", "dummy", "ifb")


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
    raise CannotTellError(no_address(link))


def no_address(link: Mapping[str, Any]) -> str:
    if link.get("master"):
        return (
            f"{link['name']} is a part of {link['master']} and has no address of its own; "
            f"name {link['master']} instead, or leave nic_env_interface empty to find it."
        )
    return f"{link['name']} has no IPv4 address; give it one on the peers' network."


def npufleet_group_disagreements(choices: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """By node, in what it differs from most of its group: {"mtu": "1500, but a, b have 9000"}.

    Nodes that agree are left out, and so are those whose interface cannot be told. Where no value is the most common,
    every node is told.
    """
    told = {node: choice for node, choice in choices.items() if "error" not in choice}
    found: dict[str, dict[str, str]] = {}
    for key in ("mtu", "network"):
        for node, sentence in _disagreements(told, key):
            found.setdefault(node, {})[key] = sentence
    return found


def _disagreements(choices: Mapping[str, Mapping[str, Any]], key: str) -> Iterator[tuple[str, str]]:
    by_value: dict[Any, list[str]] = {}
    for node, choice in choices.items():
        by_value.setdefault(choice[key], []).append(node)
    most = max(map(len, by_value.values()), default=0)
    common = [value for value, nodes in by_value.items() if len(nodes) == most]
    for mine, nodes in by_value.items() if len(by_value) > 1 else ():
        others = " and ".join(f"{listed(held)} {value}" for value, held in by_value.items() if value != mine)
        yield from ((node, f"{mine}, but {others}") for node in nodes if common != [mine])


def listed(nodes: Sequence[str], limit: int = 4) -> str:
    shown = ", ".join(nodes[:limit])
    more = f" and {len(nodes) - limit} more" if len(nodes) > limit else ""
    return f"{shown}{more} {'has' if len(nodes) == 1 else 'have'}"


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
            "npufleet_group_disagreements": npufleet_group_disagreements,
            "npufleet_peer_addresses": npufleet_peer_addresses,
            "npufleet_interface": npufleet_interface,
        }
