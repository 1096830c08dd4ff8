"""The files an Ascend driver package leaves on a server, as far as anything outside the driver reads them."""

from __future__ import annotations

from typing import Any

from npufleet_lab.files import FileSet
from npufleet_lab.node_spec import NodeSpec

DRIVER = "/usr/local/Ascend/driver"
HCCN_TOOL = f"{DRIVER}/tools/hccn_tool"
_FIRMWARE_BY_LINE = {"23.0": "7.1.0.11.220", "24.1": "7.5.0.5.220", "25": "7.7.0.6.236"}
_LIBRARIES = ("libascend_hal.so", "libc_sec.so", "libdcmi.so", "libdrvdsmi_host.so", "libmmpa.so")
_INSTALL_INFO = """\
UserName=HwHiAiUser
UserGroup=HwHiAiUser
Driver_Install_Type=full
Driver_Install_Path_Param=/usr/local/Ascend
Driver_Install_For_All=yes
Driver_Install_Mode=normal
Driver_Install_Status=complete
Firmware_Install_Type=full
Firmware_Install_Path_Param=/usr/local/Ascend
"""
_DRIVER_VERSION = """\
Version={driver}
ascendhal_version=7.35.19
aicpu_version=1.0
tdt_version=1.0
log_version=1.0
prof_version=2.0
dvppkernels_version=1.1
tsfw_version=1.0
Innerversion=V100R001C15SPC012B220
compatible_version=[V100R001C29],[V100R001C30],[V100R001C13],[V100R001C15],[V100R001C17],[V100R001C18],[V100R001C19],[V100R001C20]
compatible_version_fw=[7.0.0,7.{fw_line}.99]
package_version={driver}
"""
_FIRMWARE_VERSION = """\
Version={firmware}
firmware_version=1.0
package_version={driver}
compatible_version_drv=[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.],[{line},{line}.]
"""


def firmware_of(driver: str) -> str:
    """The firmware that Huawei ships with a driver of this line."""
    for line, firmware in _FIRMWARE_BY_LINE.items():
        if driver.startswith(line):
            return firmware
    return _FIRMWARE_BY_LINE["24.1"]


def add(files: FileSet, spec: NodeSpec, state: dict[str, Any]) -> None:
    firmware = firmware_of(spec.driver)
    fields = {"driver": spec.driver, "firmware": firmware, "fw_line": max(1, int(firmware.split(".")[1]))}
    line = ".".join(spec.driver.split(".")[:3])
    files.add(f"{DRIVER}/version.info", _DRIVER_VERSION.format(**fields), 0o444)
    files.add("/usr/local/Ascend/firmware/version.info", _FIRMWARE_VERSION.format(line=line, **fields), 0o444)
    for name in _LIBRARIES:
        # Containers mount these; nothing in the lab loads them.
        files.add(f"{DRIVER}/lib64/driver/{name}", b"", 0o444)
    files.add_link(f"{DRIVER}/lib64/libascend_hal.so", "driver/libascend_hal.so")
    files.add("/usr/local/dcmi/libdcmi.so", b"", 0o444)
    files.add("/usr/local/dcmi/dcmi_interface_api.h", "/* simulated */\n", 0o444)
    files.add("/etc/ascend_install.info", _INSTALL_INFO)
    files.add("/etc/hccn.conf", hccn_conf(state))


def hccn_conf(state: dict[str, Any]) -> str:
    lines = []
    for npu in state["npus"]:
        number, roce = npu["npu"], npu["roce"]
        lines += [f"address_{number}={roce['address']}", f"netmask_{number}={roce['netmask']}"]
        lines += [
            f"netdetect_{number}={roce['gateway']}",
            f"gateway_{number}={roce['gateway']}",
            f"send_arp_status_{number}=1",
        ]
    return "\n".join(lines) + "\n"
