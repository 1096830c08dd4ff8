"""Facts about the host that a report wants: kernels, memory, time service, reserved ports."""

from __future__ import annotations

import glob
import os
import re
from typing import Any

from ansible.module_utils.npufleet.run import read, run

TIME_SERVICES = ("chronyd", "chrony", "ntpd", "ntp", "ntpsec", "systemd-timesyncd")


def gather() -> dict[str, Any]:
    return {
        "kernels": kernels("/lib/modules"),
        "reserved_ports": read("/proc/sys/net/ipv4/ip_local_reserved_ports").strip(),
        "time_services": active(TIME_SERVICES, run("systemctl", "is-active", *TIME_SERVICES).out),
        "memory": memory(read("/proc/meminfo")),
    }


def kernels(folder: str) -> list[str]:
    """Kernels that are installed with their modules, one of which the next boot takes."""
    return sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(folder + "/*/modules.dep"))


def active(units: tuple[str, ...], text: str) -> list[str]:
    """`systemctl is-active` answers one word a line, in the order in which it was asked."""
    return [unit for unit, word in zip(units, text.split()) if word == "active"]


def memory(meminfo: str) -> dict[str, int | None]:
    found = {key: int(value) for key, value in re.findall(r"^(\w+):\s+(\d+)", meminfo, re.MULTILINE)}
    pages, size_kb = found.get("HugePages_Total"), found.get("Hugepagesize")
    return {
        "total_mb": mb(found.get("MemTotal")),
        "available_mb": mb(found.get("MemAvailable")),
        "hugepages_mb": None if pages is None or size_kb is None else pages * size_kb // 1024,
    }


def mb(kilobytes: int | None) -> int | None:
    return None if kilobytes is None else kilobytes // 1024
