"""Addresses on the lab's networks."""

from __future__ import annotations

import ipaddress

from npufleet_lab.network import LabNetwork


def test_nodes_and_repository_have_places_of_their_own() -> None:
    network = LabNetwork("npufleet-lab-mgmt", ipaddress.IPv4Network("10.87.10.0/24"))
    addresses = [network.repository_address, *(network.node_address(number) for number in range(1, 17))]
    assert addresses[:2] == ["10.87.10.5", "10.87.10.11"]
    assert len(set(addresses)) == 17
