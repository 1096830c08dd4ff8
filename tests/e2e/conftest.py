"""One lab for the whole suite: bare simulated nodes that the tests prepare as a user would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.nodes import Node, nodes_of
from support.repo import ROOT

LAB_NAME = "e2e"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Fleet:
    inventory: Path
    nodes: list[Node]
    environment: dict[str, str]

    def command(self, *arguments: str, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / arguments[0]), *arguments[1:]],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def playbook(self, name: str, *options: str) -> tuple[subprocess.CompletedProcess[str], dict[str, dict[str, int]]]:
        """Run a playbook; give the process and its recap by node."""
        done = self.command("ansible-playbook", "-i", str(self.inventory), name, *options)
        recap = {
            match["node"]: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", match["counts"])}
            for match in re.finditer(r"^(?P<node>[\w.-]+)\s+: (?P<counts>ok=.*)$", done.stdout, re.MULTILINE)
        }
        return done, recap

    def npufleet(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run the CLI with --json; give its exit code and its envelope."""
        done = self.command("npufleet", "-i", str(self.inventory), "--json", *arguments)
        assert done.stdout.strip(), done.stderr
        return done.returncode, json.loads(done.stdout)

    def fault(self, node: Node, *words: str) -> None:
        done = self.command("npufleet", "lab", "fault", node.name, *words)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "NPUFLEET_LAB_NAME": LAB_NAME,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
    }
    inventory = ROOT / "inventory" / LAB_NAME
    bare = Fleet(inventory, [], environment)
    down = bare.command("npufleet", "lab", "down")
    assert down.returncode == 0, down.stdout + down.stderr
    up = bare.command("npufleet", "lab", "up", "-n", "2", timeout_s=1800)
    assert up.returncode == 0, up.stdout + up.stderr
    yield Fleet(inventory, nodes_of(inventory), environment)
    if not os.environ.get("NPUFLEET_KEEP_LAB"):
        bare.command("npufleet", "lab", "down")


@pytest.fixture(scope="session")
def bare_check(fleet: Fleet) -> tuple[subprocess.CompletedProcess[str], dict[str, dict[str, int]]]:
    """A dry run on nodes that nobody has prepared yet."""
    return fleet.playbook("site.yml", "--check")


def traces_of(fleet: Fleet) -> dict[str, str]:
    """What a stranger finds of the product on each node; nothing on a bare one."""
    look = (
        "command -v dockerd; ls -d /opt/npufleet /etc/npufleet /var/lib/npufleet /usr/local/libexec/npufleet;"
        " find /etc /usr/local -name '*npufleet*' ! -name '*npufleet-lab*';"
        " find /usr/local /etc/systemd -name '*npu-agent*'; iptables-save | grep 169.254"
    )
    return {node.name: node.ssh(look).stdout for node in fleet.nodes}


@pytest.fixture(scope="session")
def bare_state(fleet: Fleet, bare_check: object) -> dict[str, str]:
    """What is found after the dry run and before the real one."""
    return traces_of(fleet)


@pytest.fixture(scope="session")
def first_run(fleet: Fleet, bare_state: object) -> tuple[subprocess.CompletedProcess[str], dict[str, dict[str, int]]]:
    return fleet.playbook("site.yml")


@pytest.fixture(scope="session")
def prepared(fleet: Fleet, first_run: tuple[subprocess.CompletedProcess[str], object]) -> Fleet:
    """Nodes on which site.yml ran; nothing else has touched them."""
    done, _ = first_run
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return fleet


@pytest.fixture(scope="session")
def metadata_is_local(fleet: Fleet) -> None:
    """Nothing is sent to the metadata address unless the node's route names the lab's own server."""
    for node in fleet.nodes:
        route = node.run("ip route get 169.254.169.254")
        assert re.search(r"dev vmeta\b", route), f"{node.name} would send metadata requests elsewhere: {route}"


@pytest.fixture(params=[0, 1], ids=["debian", "hce"])
def node(request: pytest.FixtureRequest, prepared: Fleet) -> Node:
    index: int = request.param
    return prepared.nodes[index]
