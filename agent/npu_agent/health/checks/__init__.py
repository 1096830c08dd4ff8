"""The checks that every node runs, in the order in which they are reported."""

from __future__ import annotations

from npu_agent.health.checks import disk, driver, ip_forward, metadata_guard, nic, npu_count, npus, probe, storage

__all__ = ["disk", "driver", "ip_forward", "metadata_guard", "nic", "npu_count", "npus", "probe", "storage"]
