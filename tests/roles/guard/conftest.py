"""One node that already has containers at work when the guard comes to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from roles.guard.ways import GUARDED, Ways
from support.fleet import Fleet, booted
from support.nodes import Node

LISTINGS = (
    "iptables-nft-save",
    "ip6tables-nft-save",
    "iptables-legacy-save",
    "ip6tables-legacy-save",
    "tc filter show dev vmeta egress",
    "ls /etc/systemd/system /etc/systemd/system/*.d /usr/local/libexec",
)


def listings(node: Node) -> dict[str, list[str]]:
    """Every rule of every packet filter, without counters and times."""
    seen = {}
    for command in LISTINGS:
        lines = node.ssh(f"{command} 2>/dev/null").stdout.splitlines()
        seen[command] = [re.sub(r" ?\[\d+:\d+\]", "", line) for line in lines if not line.startswith("#")]
    return seen


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with booted("guard", "-n", "1", "--os", "debian12") as nodes:
        route = nodes.nodes[0].run("ip route get 169.254.169.254")
        # Nothing is sent to the metadata address unless the node's route names the lab's own server.
        assert re.search(r"dev vmeta\b", route), f"metadata requests would go elsewhere: {route}"
        yield nodes


@pytest.fixture(scope="session")
def before(fleet: Fleet) -> dict[str, list[str]]:
    """A node with an engine and containers on every kind of network, and no guard: what its filters look like."""
    node = fleet.nodes[0]
    done, _ = fleet.playbook("playbooks/prepare.yml", "--tags", "docker,images")
    assert done.returncode == 0, done.stdout[-4000:]
    Ways(node).open_early()
    return listings(node)


@pytest.fixture(scope="session")
def node(fleet: Fleet, before: object) -> Node:
    """The same node with the guard and the agent."""
    settings = {"metadata_guard_addresses": list(GUARDED), "metadata_guard_accepted": ["wire"]}
    done, _ = fleet.playbook("site.yml", "-e", json.dumps(settings))
    assert done.returncode == 0, done.stdout[-4000:]
    return fleet.nodes[0]


@pytest.fixture(scope="session")
def ways(node: Node) -> Ways:
    found = Ways(node)
    found.open_late()
    return found
