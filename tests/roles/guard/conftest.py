"""One node that already has containers at work when the guard comes to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from roles.guard.ways import Ways, settings
from support.fleet import Fleet, booted
from support.nodes import Node


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with booted("guard", "-n", "1", "--os", "debian12") as nodes:
        route = nodes.nodes[0].run("ip route get 169.254.169.254")
        # Nothing is sent to the metadata address unless the node's route names the lab's own server.
        assert re.search(r"dev vmeta\b", route), f"metadata requests would go elsewhere: {route}"
        yield nodes


@pytest.fixture(scope="session")
def unguarded(fleet: Fleet) -> Node:
    """A node with an engine and containers on every kind of network, and no guard."""
    node = fleet.nodes[0]
    done, _ = fleet.playbook("playbooks/prepare.yml", "--tags", "docker,images")
    assert done.returncode == 0, done.stdout[-4000:]
    Ways(node).open_early()
    return node


@pytest.fixture(scope="session")
def node(fleet: Fleet, unguarded: Node) -> Node:
    """The same node with the guard and the agent."""
    done, _ = fleet.playbook("site.yml", "-e", settings(metadata_guard_accepted=["wire"]))
    assert done.returncode == 0, done.stdout[-4000:]
    return unguarded


@pytest.fixture(scope="session")
def ways(node: Node) -> Ways:
    found = Ways(node)
    found.open_late()
    return found
