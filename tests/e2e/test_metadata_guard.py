"""No container reads the node's metadata, on any network; the node itself still does."""

from __future__ import annotations

import json
import shlex

import pytest

from support.fleet import Fleet
from support.nodes import Node, wait_until

IMAGE = "npufleet-lab/busybox:1"
URL = "169.254.169.254/openstack/latest/meta_data.json"
REQUEST = (
    r"(printf 'GET /openstack/latest/meta_data.json HTTP/1.0\r\nHost: metadata\r\n\r\n'; sleep 1)"
    " | nc -w 3 169.254.169.254 80"
)
NETWORKS = ["bridge", "host"]

pytestmark = pytest.mark.usefixtures("metadata_is_local")


def secret_of(node: Node) -> str:
    """What the node itself reads from its metadata; every lab node has a password of its own there."""
    secret: str = json.loads(node.run(f"curl -sf -m 5 http://{URL}"))["meta"]["admin_pass"]
    assert len(secret) > 16
    return secret


def seen_from_container(node: Node, network: str) -> str:
    return node.ssh(f"docker run --rm --network {network} {IMAGE} sh -c {shlex.quote(REQUEST)}").stdout


@pytest.mark.parametrize("network", NETWORKS)
def test_container_started_by_hand_cannot_read_it(node: Node, network: str) -> None:
    secret = secret_of(node)
    assert secret not in seen_from_container(node, network)


@pytest.mark.parametrize("network", NETWORKS)
def test_this_test_would_see_a_leak(node: Node, network: str) -> None:
    # Without this the tests above would also pass where the container can reach nothing at all.
    node.run("systemctl stop 'npufleet-metadata-guard*' && /usr/local/libexec/npufleet/metadata-guard remove")
    try:
        assert secret_of(node) in seen_from_container(node, network)
    finally:
        node.run("systemctl start npufleet-metadata-guard.service npufleet-metadata-guard.timer")
    assert secret_of(node) not in seen_from_container(node, network)


@pytest.mark.parametrize("network", NETWORKS)
def test_workload_of_the_agent_cannot_read_it(node: Node, network: str) -> None:
    name = f"curious-{network}"
    answer = node.put_workload(name, image=IMAGE, npus=1, network=network, command=["sleep", "86400"])
    assert answer.status_code == 201, answer.text
    try:
        wait_until("running", 20, lambda: node.get(f"/v1/workloads/{name}")["state"] == "running")
        inside = node.in_container(f"npufleet-{name}", REQUEST)
        assert secret_of(node) not in inside.stdout
    finally:
        node.remove_workload(name)


def test_guard_survives_a_restart_of_the_engine(prepared: Fleet) -> None:
    node = prepared.nodes[0]
    node.run("systemctl restart docker", timeout_s=120)
    for network in NETWORKS:
        assert secret_of(node) not in seen_from_container(node, network)
