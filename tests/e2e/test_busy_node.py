"""A node with containers at work: site.yml leaves them and their engine alone, even where a setting changes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.fleet import Fleet, failures
from support.nodes import Node, wait_until

IMAGE = "npufleet-lab/busybox:1"
CHANGED_SETTING = {"docker_daemon_options": {"live-restore": True, "log-opts": {"max-size": "77m"}}}


def running(node: Node) -> dict[str, tuple[int, str, int]]:
    """Process, start and restarts of every container, and of the engine itself."""
    found = {
        name: (c["State"]["Pid"], c["State"]["StartedAt"], c["RestartCount"]) for name, c in node.containers().items()
    }
    engine = int(node.run("systemctl show -p MainPID --value docker"))
    return {**found, "engine": (engine, node.run(f"stat -c %Y /proc/{engine}").strip(), 0)}


@pytest.fixture
def busy(prepared: Fleet, node: Node) -> Iterator[Node]:
    node.run(f"docker run -d --name somebody {IMAGE} sleep 86400")
    answer = node.put_workload("job", image=IMAGE, npus=4, command=["sleep", "86400"])
    assert answer.status_code in {200, 201}, answer.text
    wait_until("job runs", 20, lambda: node.get("/v1/workloads/job")["state"] == "running")
    yield node
    node.remove_workload("job")
    node.run("docker rm -f somebody")
    again, _ = prepared.playbook("site.yml", "--limit", node.name)
    assert again.returncode == 0, failures(again)


def test_a_changed_setting_restarts_no_container_and_no_engine(prepared: Fleet, busy: Node) -> None:
    before = running(busy)
    assert {"somebody", "npufleet-job", "engine"} == set(before)
    done, recap = prepared.playbook("site.yml", "--limit", busy.name, "-e", json.dumps(CHANGED_SETTING))
    assert done.returncode == 0, failures(done)
    assert recap[busy.name]["changed"] > 0
    assert json.loads(busy.run("cat /etc/docker/daemon.json"))["log-opts"]["max-size"] == "77m"
    assert running(busy) == before
    assert busy.get("/v1/workloads/job")["state"] == "running"
