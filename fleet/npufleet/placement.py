"""Chooses a node for a workload: the fullest ready node where it still fits, so that whole nodes stay free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from npufleet.errors import PlacementError
from npufleet.survey import READY, NodeStatus, natural


def candidates(npus: Any, statuses: Sequence[NodeStatus]) -> list[NodeStatus]:
    """Give the nodes that can take `npus` (a count, ids, or "all"), best first; none is an error that says why."""
    fitting = [status for status in statuses if status.state == READY and _fits(npus, status)]
    if not fitting:
        raise _nowhere(npus, statuses)
    return sorted(fitting, key=lambda status: (len(status.free), natural(status.node.name)))


def holding(name: str, statuses: Sequence[NodeStatus]) -> list[NodeStatus]:
    """Give the nodes that already know a workload of this name."""
    return [status for status in statuses if any(w.name == name for w in status.workloads)]


def _fits(npus: Any, status: NodeStatus) -> bool:
    free = status.free
    if npus == "all":
        return bool(free) and len(free) == len(status.npus)
    if isinstance(npus, list):
        return set(npus) <= set(free)
    return len(free) >= int(npus)


def _nowhere(npus: Any, statuses: Sequence[NodeStatus]) -> PlacementError:
    ready = [status for status in statuses if status.state == READY]
    if not ready:
        return PlacementError("No node is ready.", code="no-node-ready", remedy="See why with npufleet status.")
    best = max(ready, key=lambda status: len(status.free))
    return PlacementError(
        f"No ready node has {_wanted(npus)}; the most are free on {best.node.name}: {_free(best)}.",
        remedy="Stop something (npufleet ps), ask for fewer, or wait.",
    )


def _wanted(npus: Any) -> str:
    if npus == "all":
        return "all its NPUs free"
    if isinstance(npus, list):
        return f"NPU {', '.join(map(str, npus))} free"
    return f"{npus} free NPU{'s' if npus != 1 else ''}"


def _free(status: NodeStatus) -> str:
    return f"{len(status.free)} of {len(status.npus)}"
