"""The driver's facts file has every key that the agent reads, null for what is not on the node."""

from __future__ import annotations

from unit.plugins.loading import load

driver = load("filter/npufleet_driver.py")


def test_what_is_missing_is_null() -> None:
    npu = {
        "paths": {"npu_smi": "/usr/local/bin/npu-smi", "lib64": "/usr/local/Ascend/driver/lib64"},
        "driver_version": "24.1.0",
        "firmware_version": None,
        "davinci": [0, 1],
        "manager_devices": ["/dev/davinci_manager"],
    }
    assert driver.npufleet_driver_facts(npu) == {
        "npu_smi": "/usr/local/bin/npu-smi",
        "driver_dir": None,
        "dcmi_dir": None,
        "hccn_conf": None,
        "hccn_tool": None,
        "version_info": None,
        "install_info": None,
        "driver_version": "24.1.0",
        "firmware_version": None,
        "davinci": [0, 1],
        "manager_devices": ["/dev/davinci_manager"],
    }
