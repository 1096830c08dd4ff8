"""What is done to the node and its agent, and short looks at what became of it."""

from __future__ import annotations

from typing import Any

import requests

from support.chaos import Trial
from support.nodes import Node
from support.workloads import answers, ready

KILL = "systemctl kill -s KILL --kill-who=main"
_NEXT = """
old=$(systemctl show -p MainPID --value npu-agent)
{kill} npu-agent || exit 1
for _ in $(seq 200); do
  new=$(systemctl show -p MainPID --value npu-agent)
  [ "$new" = 0 ] || [ "$new" = "$old" ] || break
  sleep 0.05
done
"""


def engine_is_back(node: Node) -> bool:
    """Docker answers, and so does an agent that finds nothing wrong."""
    return node.ssh("docker ps -q").returncode == 0 and ready(node)


def workload(node: Node, name: str) -> dict[str, Any] | None:
    """None also where the agent does not answer just now."""
    try:
        answer = node.api("GET", f"/v1/workloads/{name}")
    except requests.RequestException:
        return None
    return dict(answer.json()) if answer.status_code == 200 else None


def in_state(node: Node, name: str, state: str) -> dict[str, Any] | None:
    found = workload(node, name)
    return found if found is not None and found["state"] == state else None


def run_of(node: Node, name: str) -> tuple[str, int, str]:
    """Which run of which container it is: the same three as before mean that nobody has touched it."""
    found = node.containers()[f"npufleet-{name}"]
    return found["Id"], found["State"]["Pid"], found["State"]["StartedAt"]


def leased(node: Node) -> list[int]:
    return [lease["npu"] for lease in node.get("/v1/leases")["leases"]]


def kill_agent(trial: Trial, *, after_s: float, again_after_s: float | None = None) -> None:
    """By SIGKILL, so long after now; and once more, so long after the next one was started."""
    script = f"sleep {after_s:.3f}; {KILL} npu-agent"
    if again_after_s is not None:
        script = f"sleep {after_s:.3f}\n{_NEXT.format(kill=KILL)}\nsleep {again_after_s:.3f}; {KILL} npu-agent"
    trial.node.run(script)
    for _ in range(1 if again_after_s is None else 2):
        trial.caused("agent killed")


def kill_agent_now(trial: Trial) -> None:
    """And wait for the next one."""
    kill_agent(trial, after_s=0)
    trial.reached("the next agent answers", 20, lambda: answers(trial.node))
