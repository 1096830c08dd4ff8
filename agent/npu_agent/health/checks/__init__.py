"""The checks that every node runs, in the order in which they are reported."""

from __future__ import annotations

from npu_agent.health.checks import (
    clock,
    disk,
    driver,
    ip_forward,
    memory,
    metadata_guard,
    nic,
    npu_count,
    npu_network,
    npus,
    probe,
    rules,
    storage,
)

__all__ = [
    "clock",
    "disk",
    "driver",
    "ip_forward",
    "memory",
    "metadata_guard",
    "nic",
    "npu_count",
    "npu_network",
    "npus",
    "probe",
    "rules",
    "storage",
]
