"""An NPU that is reset over SSH: not under anybody's work, and sound afterwards, with all that share its ring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.fleet import Fleet
from support.nodes import Node, wait_until
from support.workloads import start

PARITY = "80E18005"  # the driver's table advises a reset


def states(node: Node) -> dict[int, str]:
    return {npu["npu"]: npu["state"] for npu in node.get("/v1/npus")["npus"]}


def advised(node: Node, npu: int) -> dict[str, Any] | None:
    found = next(part for part in node.get("/v1/health")["components"] if part["name"] == f"npu/{npu}")
    return found if found["action"] == "reset-npu" and found.get("resets") else None


@pytest.fixture
def node(fleet: Fleet, nodes: list[Node]) -> Iterator[Node]:
    """A node that other tests find sound, whatever happened here."""
    yield nodes[0]
    fleet.fault(nodes[0], "heal")


def test_a_reset_heals_the_ring_and_waits_for_who_works_there(fleet: Fleet, node: Node) -> None:
    start(node, "busy", [6], stop_grace_s=1)
    for npu in (3, 5):
        fleet.fault(node, f"npu={npu}", "health=Alarm", f"code={PARITY}")
    part = wait_until("the agent advises a reset", 90, lambda: advised(node, 3))
    assert part["resets"] == list(range(8))
    code, told = fleet.npufleet("reset-npu", node.name, "3", "--yes")
    assert (code, told["errors"][0]["code"]) == (1, "npu-held")
    assert "workload busy is on NPU 6, which is reset with it" in told["errors"][0]["message"]
    node.remove_workload("busy")
    wait_until("NPU 6 is free", 60, lambda: all(not npu["holder"] for npu in node.get("/v1/npus")["npus"]))
    assert states(node)[3] == "unhealthy"
    code, told = fleet.npufleet("reset-npu", node.name, "3", "--yes")
    assert code == 0, told
    assert told["data"]["ring"] == list(range(8))
    wait_until("every NPU is sound", 90, lambda: set(states(node).values()) == {"healthy"})
    assert node.get("/v1/cordon")["cordons"] == []
