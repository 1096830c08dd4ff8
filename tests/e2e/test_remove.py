"""The way back: what the roles made goes, and the node's own network and files are as before."""

from __future__ import annotations

from e2e.conftest import traces_of
from support.fleet import Fleet, failures


def test_remove_leaves_no_trace(prepared: Fleet, bare_state: dict[str, str]) -> None:
    assert traces_of(prepared) != bare_state
    done, recap = prepared.playbook("playbooks/remove.yml")
    assert done.returncode == 0, failures(done)
    assert all(counts["failed"] == counts["unreachable"] == 0 for counts in recap.values())
    assert traces_of(prepared) == bare_state
    for node in prepared.nodes:
        assert node.ssh("systemctl is-active npu-agent").stdout.strip() == "inactive"
        assert node.run("cat /proc/sys/net/ipv4/ip_forward").strip() == "0", "as it was on the bare node"


def test_nodes_can_be_prepared_again(prepared: Fleet) -> None:
    done, recap = prepared.playbook("site.yml")
    assert done.returncode == 0, failures(done)
    for node in prepared.nodes:
        assert recap[node.name]["changed"] > 0
        assert node.http("GET", "/healthz").status_code == 200
