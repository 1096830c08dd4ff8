"""A reboot changes nothing: the node comes back ready and guarded, and site.yml has nothing to do."""

from __future__ import annotations

import requests

from e2e.test_metadata_guard import NETWORKS, secret_of, seen_from_container
from support.fleet import Fleet, failures
from support.nodes import Node, wait_until


def boot_id(node: Node) -> str:
    return node.ssh("cat /proc/sys/kernel/random/boot_id /proc/1/stat | cut -d' ' -f1,22", timeout_s=20).stdout


def ready(node: Node) -> bool:
    try:
        return node.http("GET", "/readyz").status_code == 200
    except requests.ConnectionError:
        return False


def test_every_node_comes_back_as_it_was(prepared: Fleet, metadata_is_local: None) -> None:
    started = {node.name: boot_id(node) for node in prepared.nodes}
    for node in prepared.nodes:
        # From outside, as a console does it: a node that does not come up says why.
        done = prepared.command("npufleet", "lab", "restart", node.name)
        assert done.returncode == 0, done.stdout + done.stderr
    for node in prepared.nodes:
        wait_until(
            f"{node.name} booted again",
            90,
            lambda node=node: (now := boot_id(node)) and now != started[node.name],  # type: ignore[misc]
        )
        wait_until(f"{node.name} ready", 60, lambda node=node: ready(node))  # type: ignore[misc]
        assert "dev vmeta" in node.run("ip route get 169.254.169.254")
        for network in NETWORKS:
            assert secret_of(node) not in seen_from_container(node, network)
    again, recap = prepared.playbook("site.yml")
    assert again.returncode == 0, failures(again)
    assert {name: counts["changed"] for name, counts in recap.items()} == dict.fromkeys(recap, 0)
