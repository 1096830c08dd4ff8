"""Workloads outlive what happens to the engine and the agent, and end only as their spec and a drain say."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fleet import Fleet
from support.nodes import Node, wait_until
from support.workloads import IMAGE, SLEEP, kill_agent, ready, start

LINE = (
    " iteration        7/      10 | consumed samples:          112 | elapsed time per iteration (ms): 2500.0 |"
    " learning rate: 1.249E-06 | global batch size:    16 | lm loss: 6.500000E+00 | loss scale: 1.0 |"
    " number of nan iterations:   0 |"
)


def workload(node: Node, name: str) -> dict[str, Any]:
    return dict(node.get(f"/v1/workloads/{name}"))


@pytest.fixture
def node(prepared: Fleet) -> Node:
    """One node is enough: what is shown here does not depend on its distribution."""
    return prepared.nodes[0]


@pytest.fixture
def folder(clean: Node) -> Iterator[str]:
    clean.run("mkdir -p /data/e2e/real && echo inside > /data/e2e/real/file")
    yield "/data/e2e"
    clean.run("rm -rf /data/e2e")


def test_restarts_go_on_after_the_agent_was_killed_and_stop_at_the_budget(clean: Node) -> None:
    restart = {"policy": "on-failure", "backoff_s": 0, "budget": 1}
    answer = clean.put_workload("fails", image=IMAGE, npus=[1], command=["false"], restart=restart)
    assert answer.status_code == 201, answer.text
    identity = answer.json()["container_id"]
    wait_until("the restart", 30, lambda: workload(clean, "fails")["restarts"] == 1)
    kill_agent(clean)
    found = wait_until("the budget is spent", 40, lambda: (w := workload(clean, "fails"))["state"] == "exited" and w)
    assert (found["restarts"], found["exit_code"], found["container_id"]) == (1, 1, identity)
    assert "budget is spent" in found["reason"]
    assert clean.get("/v1/leases")["leases"] == []


def restart_engine(node: Node, *, live_restore: str) -> None:
    """As an operator would, with containers that outlive the engine or end with it."""
    other = {"true": "false", "false": "true"}[live_restore]
    node.run(f"""sed -i 's/"live-restore": {other}/"live-restore": {live_restore}/' /etc/docker/daemon.json""")
    node.run("systemctl reload docker && sleep 1 && systemctl restart docker", timeout_s=120)


def test_a_restart_of_the_engine_loses_nothing(clean: Node) -> None:
    before = start(clean, "served", [2], restart={"policy": "always", "backoff_s": 0})
    try:
        restart_engine(clean, live_restore="true")
        wait_until("node ready", 60, lambda: ready(clean))
        kept = workload(clean, "served")
        assert (kept["state"], kept["started_at"], kept["restarts"]) == ("running", before["started_at"], 0)
        restart_engine(clean, live_restore="false")
        found = wait_until("it was started again", 60, lambda: (w := workload(clean, "served"))["restarts"] and w)
    finally:
        clean.run("""sed -i 's/"live-restore": false/"live-restore": true/' /etc/docker/daemon.json""")
        clean.run("systemctl reload docker")
    wait_until("it runs", 60, lambda: workload(clean, "served")["state"] == "running")
    assert (found["container_id"], found["npus"]) == (before["container_id"], [2])
    assert [lease["npu"] for lease in clean.get("/v1/leases")["leases"]] == [2]
    assert "npufleet-served" in clean.containers()


def test_devices_and_containers_survive_a_reload_of_systemd(clean: Node) -> None:
    start(clean, "reloaded", [3])
    open_it = "exec 3</dev/davinci3"
    before = clean.in_container("npufleet-reloaded", open_it).stderr
    clean.run("systemctl daemon-reload")
    after = clean.in_container("npufleet-reloaded", open_it).stderr
    assert before == after, "what could be opened before can be opened after, and the other way round"
    assert "not permitted" not in after
    assert workload(clean, "reloaded")["state"] == "running"


def test_the_engines_socket_may_be_gone_for_a_while(clean: Node) -> None:
    before = start(clean, "steady", [4])
    clean.run("mv /var/run/docker.sock /var/run/docker.away")
    try:
        wait_until("docker is missed", 30, lambda: not ready(clean))
        refused = clean.put_workload("other", image=IMAGE, npus=[5], command=SLEEP)
        assert (refused.status_code, refused.json()["code"]) == (503, "docker-unreachable")
        assert [lease["npu"] for lease in clean.get("/v1/leases")["leases"]] == [4]
    finally:
        clean.run("mv /var/run/docker.away /var/run/docker.sock")
    wait_until("node ready", 30, lambda: ready(clean))
    found = workload(clean, "steady")
    assert (found["state"], found["container_id"], found["started_at"]) == (
        "running", before["container_id"], before["started_at"],
    )  # fmt: skip


def test_drain_stops_what_runs_and_only_its_owner_ends_it(clean: Node) -> None:
    start(clean, "drained", [0], stop_grace_s=1, restart="always")
    try:
        begun = clean.api("PUT", "/v1/drain", json={"owner": "rollout-7", "mode": "Immediate", "reason": "test"})
        assert begun.status_code == 200, begun.text
        wait_until("drained", 30, lambda: clean.get("/v1/drain")["state"] == "drained")
        assert not ready(clean)
        assert workload(clean, "drained")["state"] == "exited"
        assert clean.put_workload("late", image=IMAGE, npus=1, command=SLEEP).json()["code"] == "node-cordoned"
        assert clean.api("DELETE", "/v1/cordon", params={"owner": "else"}).json()["code"] == "cordon-of-another"
        assert [cordon["owner"] for cordon in clean.get("/v1/cordon")["cordons"]] == ["rollout-7"]
    finally:
        assert clean.api("DELETE", "/v1/cordon", params={"force": "1"}).status_code == 200
    again = clean.api("POST", "/v1/workloads/drained:restart")
    assert (again.status_code, again.json()["state"], again.json()["npus"]) == (200, "running", [0])


def test_reserve_and_commit(clean: Node) -> None:
    kept = clean.api("PUT", "/v1/leases/big", json={"npus": [6, 7], "ttl_s": 60})
    assert kept.status_code == 201, kept.text
    refused = clean.put_workload("other", image=IMAGE, npus=[6], command=SLEEP)
    assert (refused.status_code, refused.json()["holder"]["kind"]) == (409, "reservation")
    spec = {"name": "big", "image": IMAGE, "npus": 2, "command": SLEEP}
    done = clean.api("PUT", "/v1/workloads/big", params={"reservation": "big"}, json=spec)
    assert (done.status_code, done.json()["npus"]) == (201, [6, 7]), done.text
    assert clean.get("/v1/leases")["reservations"] == []


def test_the_folder_that_was_checked_is_the_one_that_is_mounted(clean: Node, folder: str) -> None:
    mounts = [{"source": f"{folder}/real", "target": "/ws"}]
    start(clean, "mounted", 1, mounts=mounts)
    assert clean.in_container("npufleet-mounted", "cat /ws/file").stdout == "inside\n"
    clean.run(f"ln -s /etc {folder}/link")
    refused = clean.put_workload(
        "linked", image=IMAGE, npus=1, command=SLEEP, mounts=[{"source": f"{folder}/link", "target": "/ws"}]
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "guard-mount")
    socket = [{"source": "/var/run/docker.sock", "target": "/sock"}]
    refused = clean.put_workload("engine", image=IMAGE, npus=1, command=SLEEP, mounts=socket)
    assert refused.json()["code"] == "guard-docker-socket"


def shown(found: dict[str, Any]) -> dict[str, Any] | None:
    return found if found["progress"] and (found["probe"] or {}).get("state") == "healthy" else None


def test_what_a_training_prints_and_a_probe_finds_is_shown(clean: Node) -> None:
    script = f"echo {shlex.quote(LINE)}; touch /tmp/fine; sleep 600"
    probe = {"kind": "exit-code", "command": ["test", "-e", "/tmp/fine"], "interval_s": 1, "start_period_s": 0}
    answer = clean.put_workload(
        "prints", image=IMAGE, npus=2, command=["sh", "-c", script], probe=probe, training={"sequence_length": 4096}
    )
    assert answer.status_code == 201, answer.text
    found = wait_until("progress", 30, lambda: shown(workload(clean, "prints")))
    assert (found["progress"]["iteration"], found["progress"]["loss"]) == (7, 6.5)
    assert found["progress"]["tokens_per_second_per_npu"] == 16 * 4096 / (2 * 2500) * 1000
    dated = clean.api("GET", "/v1/workloads/prints/logs", params={"timestamps": "1", "since": "2020-01-01T00:00:00Z"})
    assert dated.text.endswith(LINE + "\n")
    assert len(dated.text) > len(LINE) + 20
    assert clean.api("GET", "/v1/workloads/prints/logs", params={"since": "2100-01-01T00:00:00Z"}).text == ""


@pytest.fixture
def registry(clean: Node) -> Iterator[str]:
    """A registry on the node itself that wants a credential; its address."""
    program = base64.b64encode(Path(__file__).with_name("registry.py").read_bytes()).decode()
    clean.run(f"echo {program} | base64 -d > /tmp/registry.py; docker save {IMAGE} > /tmp/image.tar")
    clean.run("systemd-run --unit e2e-registry --collect python3 /tmp/registry.py /tmp/image.tar 5999")
    wait_until("the registry answers", 20, lambda: clean.ssh("curl -s http://127.0.0.1:5999/v2/").returncode == 0)
    wait_until("node ready", 60, lambda: ready(clean))
    yield "127.0.0.1:5999"
    clean.remove_workload("pulled")
    clean.run("systemctl stop e2e-registry; rm -rf /tmp/registry.py /tmp/image.tar /root/.docker/config.json")
    clean.ssh("docker rmi 127.0.0.1:5999/ours/busybox:1")


def test_an_image_is_pulled_with_the_nodes_own_credential(clean: Node, registry: str) -> None:
    def put() -> None:
        image = f"{registry}/ours/busybox:1"
        answer = clean.put_workload("pulled", image=image, npus=1, command=SLEEP, pull="missing")
        assert answer.status_code == 201, answer.text

    put()
    found = wait_until("refused", 30, lambda: (w := workload(clean, "pulled"))["state"] == "failed" and w)
    assert "cannot be pulled" in found["reason"]
    known = json.dumps({"auths": {registry: {"auth": base64.b64encode(b"puller:opensesame").decode()}}})
    clean.run(f"mkdir -p /root/.docker && echo {shlex.quote(known)} > /root/.docker/config.json")
    put()
    wait_until("it runs", 30, lambda: workload(clean, "pulled")["state"] == "running")
    journal = clean.run("journalctl -u npu-agent --no-pager -o cat")
    assert "opensesame" not in journal + json.dumps(workload(clean, "pulled"))
    assert base64.b64encode(b"puller:opensesame").decode() not in journal
