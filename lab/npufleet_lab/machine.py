"""What this machine must offer before the lab starts; each thing that is missing stops with its remedy."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from npufleet_lab.errors import LabError

_NEEDED_GB = 6  # two node images, their sources, two nodes with an engine and a test image each
_CAP_SYS_RESOURCE = 24


def require_linux_root() -> None:
    if platform.system() != "Linux":
        raise LabError(
            "The lab's nodes are Linux containers, and this is no Linux machine.", "Use a Linux virtual machine."
        )
    if os.geteuid() != 0:
        raise LabError("The lab needs root: it builds system images and network namespaces.", "Try again with sudo.")


def require_disk(folder: Path) -> None:
    """Only asked before something is built: a lab that is there already needs no more room."""
    existing = next(path for path in [folder, *folder.parents] if path.exists())
    free_gb = psutil.disk_usage(str(existing)).free / 1e9
    if free_gb < _NEEDED_GB:
        raise LabError(
            f"The lab needs {_NEEDED_GB} GB for its images and nodes, and {existing} has {free_gb:.1f} GB free.",
            "Free some space, or set NPUFLEET_LAB_HOME to a folder on a larger disk.",
        )


def lacks_sys_resource(status: Path = Path("/proc/self/status")) -> bool:
    """Whether this machine withholds CAP_SYS_RESOURCE: a container that asked for it would not start."""
    for line in status.read_text().splitlines():
        if line.startswith("CapBnd:"):
            return not int(line.split()[1], 16) >> _CAP_SYS_RESOURCE & 1
    return False


def free_device_major(devices: Path = Path("/proc/devices")) -> int:
    """A character device number that no driver of this kernel answers for: opening it fails and harms nothing."""
    used = set()
    for line in devices.read_text().partition("Block devices:")[0].splitlines():
        number = line.split()[0] if line.split() else ""
        if number.isdigit():
            used.add(int(number))
    for major in range(236, 233, -1):
        if major not in used:
            return major
    return next(major for major in range(511, 383, -1) if major not in used)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One lab command at a time changes what the labs of this machine share; a second one waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def missing_programs(wanted: dict[str, str]) -> list[str]:
    """`wanted` maps a program to the Debian package that brings it; returns the packages to install."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"
    return sorted({package for program, package in wanted.items() if shutil.which(program, path=places) is None})
