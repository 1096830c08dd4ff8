"""One lab for the whole suite: bare simulated nodes that the tests prepare as a user would."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from support.fleet import Fleet, booted, failures
from support.nodes import Node, wait_until
from support.workloads import ready, sweep


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with booted("e2e", "-n", "2") as nodes:
        yield nodes


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
    assert done.returncode == 0, failures(done)
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


@pytest.fixture
def clean(node: Node) -> Iterator[Node]:
    """The node with no workload before and after; on a busy machine its probe may be late, and it says so."""
    sweep(node)
    wait_until("node ready", 60, lambda: ready(node))
    yield node
    sweep(node)
