"""A mixed fleet: two bare Debian nodes, a bare HCE node, and a Debian node with an engine and containers at work."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.fleet import Fleet, Recap, booted
from support.nodes import Node, wait_until
from support.snapshot import snapshot

IMAGE = "npufleet-lab/busybox:1"
HERE = Path(__file__).parent
# What an operator set long ago, in his own order, indentation and mode.
DAEMON_JSON = """{
    "log-opts": {"max-size": "20m"},
    "debug": false,
    "log-driver": "json-file",
    "insecure-registries": ["registry.example.com:5000"],
    "default-address-pools": [{"base": "172.30.0.0/16", "size": 24}]
}
"""
# The blank line and the spaces are what a search for `net.ipv4.ip_forward=0` trips over.
SITE_CONF = "# Hardening of this site\n\nnet.ipv4.ip_forward = 0\nnet.ipv4.ip_local_reserved_ports = 8080,9100\n"

Run = tuple[subprocess.CompletedProcess[str], Recap]
Found = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with booted("mixed", "-n", "4", "--os", "debian12,debian12,hce2,debian12") as nodes:
        yield nodes


@pytest.fixture(scope="session")
def variables(fleet: Fleet) -> str:
    """The scenario, as an operator would write it into group_vars."""
    path = fleet.inventory / "group_vars"
    path.mkdir(exist_ok=True)
    (path / "npu_nodes.yml").write_text((HERE / "variables.yml").read_text(encoding="utf-8"), encoding="utf-8")
    return "group_vars/npu_nodes.yml"


def give(node: Node, path: str, content: str, mode: str = "644") -> None:
    text = base64.b64encode(content.encode()).decode()
    node.run(f"mkdir -p $(dirname {path}) && echo {text} | base64 -d > {path} && chmod {mode} {path}")


def install_engine(node: Node, inventory: Path) -> None:
    """As an administrator did before anybody spoke of npufleet: the distribution's engine, started and enabled."""
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))["npu_nodes"]["hosts"]
    source = f"deb [trusted=yes] {hosts[node.name]['docker_repository_url']} ./"
    node.run(
        f"echo '{source}' > /etc/apt/sources.list.d/site.list && apt-get -q update && "
        "apt-get install -qy --no-install-recommends docker.io && systemctl enable --now docker",
        timeout_s=300,
    )


def start_containers(node: Node, inventory: Path) -> None:
    """One on a network of its own with a published port, one on the host's network."""
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))["npu_nodes"]
    archive = hosts["vars"]["images_archives"][0]["archive"]
    copied = subprocess.run(
        ["scp", "-q", *node.ssh_arguments, archive, f"root@{node.address}:/run/image.tar"], check=False, timeout=60
    )
    assert copied.returncode == 0
    node.run("docker load -qi /run/image.tar && rm /run/image.tar && docker network create theirs")
    always = f"--restart=always {IMAGE} sleep 86400"
    node.run(f"docker run -d --name web --network theirs -p 8081:80 {always}")
    node.run(f"docker run -d --name training --network host {always}")


@pytest.fixture(scope="session")
def busy(fleet: Fleet) -> Node:
    """The node on which somebody works already."""
    node = fleet.nodes[3]
    give(node, "/etc/docker/daemon.json", DAEMON_JSON, "640")
    install_engine(node, fleet.inventory)
    start_containers(node, fleet.inventory)
    return node


@pytest.fixture(scope="session")
def found(fleet: Fleet, busy: Node, variables: str) -> Found:
    """Every node as npufleet finds it."""
    give(fleet.nodes[0], "/etc/sysctl.d/99-zzz-site.conf", SITE_CONF)
    fleet.nodes[0].run("sysctl -qw net.ipv4.ip_local_reserved_ports=8080,9100")
    return {node.name: snapshot(node) for node in fleet.nodes}


def running(node: Node) -> dict[str, tuple[int, str, int]]:
    """Process, start and restarts of every container, and of the engine itself."""
    seen = {
        name: (c["State"]["Pid"], c["State"]["StartedAt"], c["RestartCount"])
        for name, c in node.containers().items()
        if c["State"]["Running"]
    }
    engine = int(node.run("systemctl show -p MainPID --value docker"))
    return {**seen, "engine": (engine, node.run(f"stat -c %Y /proc/{engine}").strip(), 0)}


def ready(node: Node) -> bool:
    done = node.ssh("curl -ksf https://127.0.0.1:7443/readyz")
    return done.returncode == 0


def wait_until_ready(node: Node, seconds: float = 60) -> None:
    wait_until(f"{node.name} is ready", seconds, lambda: ready(node))


def check(run: Run, fleet: Fleet, *, changed: bool | None = None) -> None:
    done, recap = run
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert set(recap) >= {node.name for node in fleet.nodes}
    for node, counts in recap.items():
        assert counts["failed"] == counts["unreachable"] == 0, f"{node}: {counts}"
        if changed is not None:
            assert (counts["changed"] > 0) is changed, f"{node}: {counts}\n{done.stdout[-6000:]}"


@pytest.fixture(scope="session")
def work(busy: Node, found: Found) -> dict[str, tuple[int, str, int]]:
    """What runs on the busy node before npufleet comes."""
    assert found
    return running(busy)


@pytest.fixture(scope="session")
def prepared(fleet: Fleet, work: object) -> Fleet:
    assert work
    check(fleet.playbook("site.yml"), fleet, changed=True)
    return fleet
