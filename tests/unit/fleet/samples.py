"""Nodes and answers of agents for the fleet's tests: small builders, each with a healthy default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from npu_agent import api
from npufleet.fleet import Fleet
from npufleet.inventory import Inventory, Node, Ssh
from npufleet.survey import Facts
from npufleet.testing import Handler, MemoryAgent, Reply, memory_fleet

SINCE = "2026-01-02T03:00:00Z"


def make_node(name: str = "lab-1", address: str = "192.0.2.1", **changes: Any) -> Node:
    return Node(name=name, address=address, port=7443, ssh=Ssh(address), groups=("npu_nodes",), **changes)


def make_npu(number: int, state: str = api.HEALTHY, holder: str | None = None, **changes: Any) -> api.Npu:
    held_by = api.Holder("workload", holder, since=SINCE) if holder else None
    known = {"temperature_c": 41, "power_w": 92.4, "aicore_percent": 0, "hbm_used_mb": 3072, "hbm_total_mb": 65536}
    facts = known if state != api.UNKNOWN else {}
    return api.Npu(npu=number, name="910B3", state=state, holder=held_by, **{**facts, **changes})


def make_npus(
    count: int = 8, *, held: dict[int, str] | None = None, bad: dict[int, str] | None = None
) -> list[api.Npu]:
    return [make_npu(n, (bad or {}).get(n, api.HEALTHY), (held or {}).get(n)) for n in range(count)]


def make_workload(name: str = "train-1", npus: Sequence[int] = (0,), **changes: Any) -> api.Workload:
    image = changes.pop("image", "train:1")
    plain: dict[str, Any] = {
        "spec": {"name": name, "image": image, "npus": len(npus)},
        "resolved": api.Resolved(image=image),
        "npus": list(npus),
        "state": api.RUNNING,
        "container_id": "0123456789abcdef",
        "started_at": SINCE,
    }
    return api.Workload(name=name, **{**plain, **changes})


def make_facts(
    name: str = "lab-1",
    *,
    npus: list[api.Npu] | None = None,
    workloads: Sequence[api.Workload] = (),
    components: Sequence[api.Component] = (),
    **health: Any,
) -> Facts:
    report = {"ready": True, "state": api.HEALTHY, **health}
    return Facts(
        api.Node(name, "0.1.0", driver_version="24.1.0", chip="910B3", npu_count=8),
        api.HealthReport(name, components=list(components), **report),
        api.NpuReport(SINCE, 2.0, make_npus() if npus is None else npus),
        list(workloads),
    )


def sick_facts(name: str = "lab-2") -> Facts:
    """NPU 3 in Alarm, and one warning beside it."""
    alarm = "npu-smi reports Alarm, code 80E01801 (HBM multi-bit error)"
    return make_facts(
        name,
        npus=make_npus(bad={3: api.UNHEALTHY}, held={0: "train-1", 1: "train-1"}),
        workloads=[make_workload("train-1", (0, 1))],
        ready=False,
        state=api.UNHEALTHY,
        reasons=[f"npu/3: unhealthy: {alarm}"],
        components=[
            api.Component("npu/0", api.HEALTHY),
            api.Component("npu/3", api.UNHEALTHY, alarm, "reset-npu-when-idle", SINCE, SINCE),
            api.Component("disk/var", api.DEGRADED, "/var has 4 % left", "fix-configuration", SINCE, SINCE),
        ],
    )


def replies_of(facts: Facts) -> dict[str, Reply | Handler]:
    return {
        "GET /v1/node": Reply(facts.node.to_dict()),
        "GET /v1/health": Reply(facts.health.to_dict()),
        "GET /v1/npus": Reply(facts.npus.to_dict()),
        "GET /v1/workloads": Reply({"workloads": [workload.to_dict() for workload in facts.workloads]}),
    }


def problem(status: int, code: str, detail: str, **more: Any) -> Reply:
    return Reply(api.Problem("No", status, detail, code, **more).to_dict(), status=status)


class Dead(dict[str, Reply]):
    """A node whose every call ends in the same transport error."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._reply = Reply(error=error)

    def get(self, _key: str, _default: Any = None) -> Reply:
        return self._reply


def make_fleet(answers: dict[str, Any]) -> Fleet:
    """A fleet from node name to facts, to a table of replies, or to a transport error."""
    nodes = [make_node(name, f"192.0.2.{index}") for index, name in enumerate(answers, 1)]
    agents = {name: make_agent(answer) for name, answer in answers.items()}
    return memory_fleet(nodes, agents, Inventory(Path("inventory/test"), ()))


def make_agent(answer: Any) -> MemoryAgent:
    if isinstance(answer, MemoryAgent):
        return answer
    if isinstance(answer, Exception):
        return MemoryAgent(Dead(answer))
    return MemoryAgent(replies_of(answer) if isinstance(answer, Facts) else answer)
