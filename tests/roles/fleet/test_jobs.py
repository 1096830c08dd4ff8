"""Jobs over two nodes and the verbs that act on nodes, as an operator uses them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import yaml

from support.fleet import Fleet
from support.nodes import Node, wait_until
from support.workloads import IMAGE, SLEEP, ready, start

SAY = "echo rank $NODE_RANK of $NNODES at $MASTER_ADDR:$MASTER_PORT by $HCCL_SOCKET_IFNAME; sleep 600"


def job_file(folder: Path, **keys: object) -> str:
    path = folder / "job.yaml"
    job = {"name": "job", "image": IMAGE, "npus": 4, "nodes": 2, "command": ["sh", "-c", SAY], **keys}
    path.write_text(yaml.safe_dump(job), encoding="utf-8")
    return str(path)


def test_a_job_over_two_nodes_knows_its_ranks(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    code, told = fleet.npufleet("run", "-f", job_file(tmp_path, rank_table=True))
    assert code == 0, told
    assert [rank["node"] for rank in told["data"]["ranks"]] == [node.name for node in nodes]
    table = nodes[1].in_container("npufleet-job", "cat $RANK_TABLE_FILE; echo x > $RANK_TABLE_FILE")
    assert '"rank_id": "7"' in table.stdout
    assert "Read-only" in table.stderr
    spoken = wait_until("both ranks speak", 20, lambda: logs(fleet))
    assert f"0 | rank 0 of 2 at {fleet.variable(nodes[0], 'nic_env_address')}:29500" in spoken
    code, told_json = fleet.npufleet("exec", "--in", "job", "--", "echo $NODE_RANK; exit 7")
    assert code == 1
    assert [(n["stdout"], n["exit_code"]) for n in told_json["data"]["nodes"]] == [("0\n", 7), ("1\n", 7)]
    code, told = fleet.npufleet("stop", "job", "--grace", "1")
    assert code == 0, told
    assert not any(node.containers() for node in nodes)


def logs(fleet: Fleet) -> str | None:
    code, told = fleet.npufleet("logs", "job")
    text = str(told["data"].get("text", "")) if code == 0 else ""
    return text if "0 | rank" in text and "1 | rank" in text else None


def test_one_node_that_cannot_releases_all(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    start(nodes[1], "other", [0])
    names = [node.name for node in nodes]
    code, told = fleet.npufleet("run", "-f", job_file(tmp_path, npus=[0, 1], nodes=names))
    assert code == 1
    assert "held by workload other" in told["errors"][0]["message"]
    assert "Nothing of it is left" in told["errors"][0]["message"]
    for node in nodes:
        leases = node.get("/v1/leases")
        assert leases["reservations"] == []
        assert "job" not in [lease["workload"] for lease in leases["leases"]]


def test_the_rendered_line_makes_the_agents_container(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    one = {"name": "twin", "image": IMAGE, "npus": [2], "command": SLEEP, "env": {"A": "it's $A"}}
    path.write_text(yaml.safe_dump(one), encoding="utf-8")
    code, told = fleet.npufleet("render", "-f", str(path), "--as", "docker", "--node", nodes[0].name)
    assert code == 0, told
    nodes[0].run(told["data"]["nodes"][nodes[0].name])
    by_line = nodes[0].containers()["twin"]
    nodes[0].run("docker rm -f twin")
    wait_until("NPU free", 30, lambda: nodes[0].put_workload("twin", **{k: one[k] for k in one if k != "name"}).ok)
    by_agent = nodes[0].containers()["npufleet-twin"]
    assert sorted(by_line["Config"]["Env"]) == sorted(by_agent["Config"]["Env"])
    for key in ("Image", "Cmd", "StopTimeout", "WorkingDir"):
        assert by_line["Config"].get(key) == by_agent["Config"].get(key), key
    line, agent = by_line["HostConfig"], by_agent["HostConfig"]
    # Docker's client knows the size of its terminal, and says nothing as an empty list where the API says null.
    said = {key: value for key, value in line.items() if value and key != "ConsoleSize"}
    assert said == {key: value for key, value in agent.items() if value and key != "ConsoleSize"}


def test_a_push_that_is_killed_goes_on_where_it_was(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    source, target = tmp_path / "weights", "/data/push/weights"
    source.write_bytes(os.urandom(64 << 20))
    for node in nodes:
        node.run("rm -rf /data/push")
    command = ["npufleet", "-i", str(fleet.inventory), "push", str(source), target]
    pushing = fleet.start(*command, "--limit", nodes[0].name)
    wait_until("a part is there", 30, lambda: nodes[0].ssh(f"test -s {target}.npufleet-part").returncode == 0)
    pushing.send_signal(signal.SIGKILL)
    pushing.communicate()
    time.sleep(0.5)
    assert nodes[0].ssh(f"test -e {target}").returncode == 1
    code, told = fleet.npufleet("push", str(source), target, "--limit", ",".join(node.name for node in nodes))
    assert code == 0, told
    kept = {node["node"]: node["bytes_kept"] for node in told["data"]["nodes"]}
    assert kept[nodes[0].name] > 0
    assert kept[nodes[1].name] == 0
    sums = {node.run(f"sha256sum < {target}") for node in nodes}
    assert len(sums) == 1


def test_exec_ends_with_its_time_limit(fleet: Fleet, nodes: list[Node]) -> None:
    code, told = fleet.npufleet("exec", "--timeout", "1", "--limit", nodes[0].name, "--", "sleep 4321")
    assert (code, told["data"]["nodes"][0]["state"]) == (1, "timeout")
    wait_until("sleep is gone", 10, lambda: nodes[0].ssh("pgrep -fx 'sleep 4321'").returncode == 1)


def test_cordon_and_drain(fleet: Fleet, nodes: list[Node]) -> None:
    start(nodes[0], "busy", 1, stop_grace_s=1)
    assert fleet.npufleet("drain", nodes[0].name)[0] == 2
    code, told = fleet.npufleet("drain", nodes[0].name, "--mode", "stop", "--wait", "--yes")
    assert (code, told["data"]["nodes"][0]["state"]) == (0, "drained")
    assert nodes[0].put_workload("late", image=IMAGE, npus=1, command=SLEEP).status_code == 409
    assert fleet.npufleet("uncordon", nodes[0].name)[0] == 0
    wait_until("node ready", 30, lambda: ready(nodes[0]))
