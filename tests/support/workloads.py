"""Workloads on a prepared node, as a stranger starts and watches them."""

from __future__ import annotations

import requests

from support.nodes import Node, wait_until

IMAGE = "npufleet-lab/busybox:1"
SLEEP = ["sleep", "86400"]
MAIN_PID = "systemctl show -p MainPID --value npu-agent"


def start(node: Node, name: str, npus: object, **more: object) -> dict[str, object]:
    answer = node.put_workload(name, image=IMAGE, npus=npus, command=SLEEP, **more)
    assert answer.status_code == 201, answer.text
    wait_until(f"{name} runs", 20, lambda: node.get(f"/v1/workloads/{name}")["state"] == "running")
    return dict(node.get(f"/v1/workloads/{name}"))


def sweep(node: Node) -> None:
    for workload in node.get("/v1/workloads")["workloads"]:
        node.remove_workload(workload["name"])


def answers(node: Node, path: str = "/healthz") -> bool:
    """Whether the agent says 200; one that cannot be reached does not."""
    try:
        return node.http("GET", path).status_code == 200
    except requests.RequestException:
        return False


def ready(node: Node) -> bool:
    return answers(node, "/readyz")


def kill_agent(node: Node) -> None:
    """By force, and wait for the next one."""
    old = node.run(MAIN_PID).strip()
    node.run(f"kill -9 {old}")
    wait_until("another agent runs", 30, lambda: node.run(MAIN_PID).strip() not in {old, "0"})
    wait_until("node ready", 30, lambda: ready(node))
