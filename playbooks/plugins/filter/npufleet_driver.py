"""The driver as it was found on a node, in the words of the agent's facts file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PATHS = ("npu_smi", "driver_dir", "dcmi_dir", "hccn_conf", "hccn_tool", "version_info", "install_info")


def npufleet_driver_facts(npu: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: npu["paths"].get(name) for name in PATHS},
        "driver_version": npu["driver_version"],
        "firmware_version": npu["firmware_version"],
        "davinci": list(npu["davinci"]),
        "manager_devices": list(npu["manager_devices"]),
    }


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"npufleet_driver_facts": npufleet_driver_facts}
