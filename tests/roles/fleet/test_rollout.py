"""A rollout over real nodes with one that turns unhealthy: it stops, says why, reverts, and the fleet is as before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from support.fleet import Fleet, failures

SETTINGS = {
    "auto_promote": True,
    "auto_revert": True,
    "max_parallel": 3,
    "min_healthy_time": "2s",
    "poll": "1s",
    # Long, for a busy machine; what is known to be unhealthy fails at once.
    "healthy_deadline": "4m",
    "progress_deadline": "0s",
}


def configured(fleet: Fleet) -> dict[str, str]:
    look = "cat /etc/npufleet/agent.yaml; systemctl cat npu-agent"
    return {node.name: node.run(look) for node in fleet.nodes}


def cordons(fleet: Fleet) -> list[dict[str, Any]]:
    look = "curl -s --unix-socket /run/npufleet/agent.sock http://agent/v1/cordon"
    return [json.loads(node.run(look)) for node in fleet.nodes]


def test_node_that_turns_unhealthy_takes_the_revision_back_from_the_fleet(fleet: Fleet, tmp_path: Path) -> None:
    """The revision expects an NPU more of one node than it has, and its agent says so."""
    before, sick = configured(fleet), fleet.nodes[1].name
    revision = {
        "name": "expects-nine",
        "tags": "agent",
        "variables": {"agent_expected_npus": f"{{{{ 9 if inventory_hostname == '{sick}' else 8 }}}}"},
        "rollout": SETTINGS,
    }
    file = tmp_path / "expects-nine.yml"
    file.write_text(yaml.safe_dump(revision), encoding="utf-8")
    code, document = fleet.npufleet("rollout", "run", "-f", str(file))
    assert (code, document["data"]["rollout"]["state"]) == (1, "failed"), document
    assert f"failed on {sick}: npu/8: unhealthy: npu-smi does not list it" in document["data"]["rollout"]["reason"]
    states = {node["node"]: node["state"] for node in document["data"]["nodes"]}
    assert set(states.values()) == {"reverted"}, states
    assert configured(fleet) == before
    assert [told["cordons"] for told in cordons(fleet)] == [[] for _ in fleet.nodes]


def test_one_batch_with_plain_ansible(fleet: Fleet) -> None:
    """The same gates without the program: drain, site.yml, health, uncordon."""
    name = fleet.nodes[0].name
    done, recap = fleet.playbook(
        "playbooks/rollout.yml", "--limit", name, "-e", "drain_owner=alice-7", "-e", "min_healthy_time_s=5",
        "--tags", "always,agent",
    )  # fmt: skip
    assert done.returncode == 0, failures(done)
    assert recap[name]["failed"] == 0
    assert "Cordon the node and begin to drain it" in done.stdout
    assert [told["cordons"] for told in cordons(fleet)] == [[] for _ in fleet.nodes]
