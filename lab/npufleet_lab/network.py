"""The lab's two networks: management and the one between peers; both internal, so nothing on them has an uplink."""

from __future__ import annotations

import ipaddress
import itertools
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
from docker.errors import NotFound
from docker.types import IPAMConfig, IPAMPool

from npufleet_lab.config import ROLE_LABEL, LabConfig
from npufleet_lab.errors import LabError

if TYPE_CHECKING:
    from docker import DockerClient

# The second number of the addresses, tried in turn until a pair is free on this machine.
_BLOCKS = (87, 143, 171, 213, 229, 241)
_PAIRS = tuple((10 + step, 140 + step) for step in range(10))  # the third: management, peer
_FIRST_NODE = 10
_REPOSITORY = 5


@dataclass(frozen=True)
class LabNetwork:
    name: str
    subnet: ipaddress.IPv4Network

    @property
    def repository_address(self) -> str:
        return str(self.subnet[_REPOSITORY])

    def node_address(self, number: int) -> str:
        return str(self.subnet[_FIRST_NODE + number])


@dataclass(frozen=True)
class LabNetworks:
    management: LabNetwork
    peer: LabNetwork


def ensure(client: DockerClient, config: LabConfig) -> LabNetworks:
    """Create what is missing; a network that exists keeps its addresses."""
    found = find(client, config)
    if found is not None:
        return found
    remove(client, config)  # half a pair is of no use
    used = _used_subnets(client)
    for block, pair in itertools.product(_BLOCKS, _PAIRS):
        management, peer = (ipaddress.IPv4Network(f"10.{block}.{third}.0/24") for third in pair)
        if not any(management.overlaps(other) or peer.overlaps(other) for other in used):
            return LabNetworks(_create(client, config, "mgmt", management), _create(client, config, "peer", peer))
    raise LabError(
        "Every address block the lab could use is taken on this machine.", "Remove a Docker network you do not need."
    )


def find(client: DockerClient, config: LabConfig) -> LabNetworks | None:
    networks = [_existing(client, config, suffix) for suffix in ("mgmt", "peer")]
    management, peer = networks
    return LabNetworks(management, peer) if management and peer else None


def remove(client: DockerClient, config: LabConfig) -> None:
    for network in client.networks.list(filters=config.filter_by_role("network")):
        network.remove()


def _existing(client: DockerClient, config: LabConfig, suffix: str) -> LabNetwork | None:
    name = config.object_name(suffix)
    try:
        attributes: dict[str, Any] = client.networks.get(name).attrs
    except NotFound:
        return None
    return LabNetwork(name, ipaddress.IPv4Network(attributes["IPAM"]["Config"][0]["Subnet"]))


def _create(client: DockerClient, config: LabConfig, suffix: str, subnet: ipaddress.IPv4Network) -> LabNetwork:
    name = config.object_name(suffix)
    pool = IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))
    client.networks.create(
        name,
        driver="bridge",
        internal=True,
        ipam=IPAMConfig(pool_configs=[pool]),
        labels={**config.labels, ROLE_LABEL: "network"},
    )
    return LabNetwork(name, subnet)


def _used_subnets(client: DockerClient) -> list[ipaddress.IPv4Network]:
    """What this machine's interfaces and the engine's other networks occupy."""
    own = [
        f"{address.address}/{address.netmask}"
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and address.netmask
    ]
    pools = [
        pool.get("Subnet", "")
        for network in client.networks.list()
        for pool in (network.attrs.get("IPAM") or {}).get("Config") or []
    ]
    version_4 = [subnet for subnet in own + pools if subnet and ":" not in subnet]
    return [ipaddress.IPv4Network(subnet, strict=False) for subnet in version_4]
