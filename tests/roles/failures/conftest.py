"""Three nodes: an apt and a dnf one that get into trouble, and a third that must not notice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fleet import Fleet, booted
from support.nodes import Node


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with booted("failures", "-n", "3", "--os", "debian12,hce2,ubuntu22.04") as nodes:
        yield nodes


@pytest.fixture(scope="session")
def troubled(fleet: Fleet) -> list[Node]:
    return fleet.nodes[:2]


@pytest.fixture(scope="session")
def well(fleet: Fleet) -> Node:
    return fleet.nodes[2]


@pytest.fixture(scope="session")
def bare(fleet: Fleet) -> dict[str, list[str]]:
    """Packages and files of our own making on nodes that nobody has prepared yet."""
    return {node.name: state_of(node) for node in fleet.nodes}


def state_of(node: Node) -> list[str]:
    look = (
        "dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n' 2>/dev/null || rpm -qa | sort;"
        " find /etc/apt /etc/yum.repos.d /etc/docker /etc/systemd/system -type f 2>/dev/null | sort;"
        " find /run -maxdepth 1 -name 'npufleet-packages*'; dpkg --audit 2>/dev/null; true"
    )
    # A configuration file that Debian keeps of a removed package is no package.
    return [line for line in node.run(look).splitlines() if not line.startswith("rc ")]


class Told:
    """What one run of the command line said: for each node in trouble one message, and how the others are."""

    def __init__(self, code: int, envelope: dict[str, Any]) -> None:
        self.code = code
        self.states = {node["node"]: node["state"] for node in envelope["data"]["nodes"]}
        self.changed = {node["node"]: node["changed"] for node in envelope["data"]["nodes"]}
        self.errors = envelope["errors"]
        record = Path(envelope["data"]["record"]) / "artifacts/run/stdout"
        self.printed = record.read_text(encoding="utf-8")

    def about(self, node: Node) -> str:
        """The one message about a node, with the remedy that the command line adds; free of traces of programs."""
        found = [error for error in self.errors if node.name in json.dumps(error)]
        assert len(found) == 1, json.dumps(self.errors, indent=2)
        assert "Traceback" not in self.printed
        return f"{found[0]['message']} {found[0]['remedy']}"


# Without a connection that is kept open, a silent node is noticed after seconds instead of a minute.
IMPATIENT = {"ansible_ssh_args": "-o ServerAliveInterval=2 -o ServerAliveCountMax=2"}


def prepare(fleet: Fleet, tag: str, *more: str) -> Told:
    return Told(*fleet.npufleet("prepare", "--tags", tag, *more))
