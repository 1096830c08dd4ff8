"""What workloads and cordons tell of themselves, as events: what two pictures of the node would not show."""

from __future__ import annotations

import re
from typing import Optional

from npu_agent import api_events
from npu_agent.history import Draft

# What is not listed, a start and an end, is told already by the workload's new state.
_KINDS = {
    "failed": api_events.WORKLOAD,
    "probe-failed": api_events.WORKLOAD,
    "removed": api_events.WORKLOAD,
    "stopped": api_events.WORKLOAD,
    "restart-planned": api_events.WORKLOAD,
    "restarted": api_events.WORKLOAD,
    "cordoned": api_events.CORDON,
    "uncordoned": api_events.CORDON,
}
_WORKLOAD = re.compile(r"workload ([a-z0-9][a-z0-9-]*)")
_NPU = re.compile(r"^NPU (\d+) is cordoned|the cordon of NPU (\d+)$")


def event(change: str, words: str) -> Optional[Draft]:
    """Make the event of a change; None where it is told otherwise."""
    kind = _KINDS.get(change)
    return None if kind is None else Draft(kind, _subject(kind, words), words, {"change": change})


def _subject(kind: str, words: str) -> str:
    if kind == api_events.WORKLOAD:
        found = _WORKLOAD.match(words)
        return found.group(1) if found else "node"
    npu = _NPU.search(words)
    return f"npu/{npu.group(1) or npu.group(2)}" if npu else "node"
