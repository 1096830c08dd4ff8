"""One node of each system that no other suite boots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.fleet import Fleet, booted
from support.nodes import Node

SYSTEMS = ("ubuntu22.04", "openeuler22.03", "euleros2.10")


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with booted("systems", "-n", "3", "--os", ",".join(SYSTEMS)) as nodes:
        yield nodes


@pytest.fixture(scope="session")
def ubuntu(fleet: Fleet) -> Node:
    return fleet.nodes[0]


@pytest.fixture(scope="session")
def openeuler(fleet: Fleet) -> Node:
    return fleet.nodes[1]


@pytest.fixture(scope="session")
def euleros(fleet: Fleet) -> Node:
    return fleet.nodes[2]


def packages_of(node: Node) -> dict[str, str]:
    """Names and versions of what is installed; a configuration file that Debian keeps is no package."""
    debs = "dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\\n'"
    look = f"{debs} || rpm -qa --qf 'installed %{{NAME}} %{{VERSION}}\\n'"
    lines = [line.split() for line in node.run(f"({look}) 2>/dev/null").splitlines()]
    return {line[1]: line[2] for line in lines if line[0] == "installed"}
