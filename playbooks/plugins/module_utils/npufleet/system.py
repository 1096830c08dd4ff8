"""Facts about the operating system: release, Python, cgroups, services, kernel settings."""

from __future__ import annotations

import glob
import os
import platform
import re
import shlex
import sys
import time
from typing import Any

from ansible.module_utils.npufleet.run import read, run, which

SERVICES = (
    "docker.service",
    "firewalld.service",
    "npu-agent.service",
    "npufleet-metadata-guard.service",
    "npufleet-metadata-guard.timer",
    "npufleet.slice",
)
SYSCTL_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
SILENCED = "# npufleet keeps this line off: "
FORWARDING = re.compile(
    r"^[ \t]*-?[ \t]*net[./]ipv4[./](?:ip_forward|conf[./]all[./]forwarding)[ \t]*=[ \t]*(\d+)[ \t]*$", re.MULTILINE
)
# Lines that npufleet keeps off count too: what they reserve must stay reserved.
RESERVED = re.compile(
    rf"^({re.escape(SILENCED)})?[ \t]*-?[ \t]*net[./]ipv4[./]ip_local_reserved_ports[ \t]*=[ \t]*([\d,\- \t]*)$",
    re.MULTILINE,
)


def gather() -> dict[str, Any]:
    return {
        "os": os_release(read("/etc/os-release")),
        "arch": platform.machine(),
        "kernel": platform.release(),
        "hostname": platform.node(),
        "boot_id": read("/proc/sys/kernel/random/boot_id").strip(),
        "time": int(time.time()),
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "pythons": pythons(),
        "cgroup": dict(cgroup(read("/proc/self/mounts")), controllers=controllers(read("/proc/cgroups"))),
        "package_managers": [name for name in ("apt-get", "dnf", "yum", "zypper") if which(name)],
        "services": services(),
        "ip_forward": {"live": read("/proc/sys/net/ipv4/ip_forward").strip(), "files": forwarding_files()},
        "reserved_ports": {
            "live": read("/proc/sys/net/ipv4/ip_local_reserved_ports").strip(),
            "files": reserving_files(),
        },
        "silenced_sysctls": [path for path in sysctl_order(sysctl_paths()) if SILENCED in read(path)],
        "disks": disks(("/", "/var/lib/docker")),
        "memory_mb": memory_mb(read("/proc/meminfo")),
    }


def os_release(text: str) -> dict[str, Any]:
    pairs = {}
    for line in text.splitlines():
        key, found, value = line.partition("=")
        if found and not line.startswith("#"):
            pairs[key.strip()] = "".join(shlex.split(value, comments=True))
    return {
        "id": pairs.get("ID", "").lower(),
        "id_like": pairs.get("ID_LIKE", "").lower().split(),
        "version": pairs.get("VERSION_ID", ""),
        "name": pairs.get("PRETTY_NAME", pairs.get("NAME", "")),
    }


def pythons() -> list[dict[str, str]]:
    """Interpreters on this node, newest first, by the version in their name."""
    found = {}
    for folder in ("/usr/bin", "/usr/local/bin", "/opt/python/bin"):
        for path in glob.glob(os.path.join(folder, "python3.*")):
            match = re.match(r"^python(3\.\d+)$", os.path.basename(path))
            if match and os.access(path, os.X_OK):
                found.setdefault(match.group(1), path)
    newest = sorted(found, key=lambda version: int(version.split(".")[1]), reverse=True)
    return [{"version": version, "path": found[version]} for version in newest]


def cgroup(mounts: str) -> dict[str, str | None]:
    """Mode v1, hybrid or v2, and where the hierarchies that a packet filter can match are mounted."""
    v2, classes, v1 = None, None, False
    for line in mounts.splitlines():
        _, target, kind, options = line.split()[:4]
        if kind == "cgroup2":
            v2 = v2 or target
        elif kind == "cgroup":
            v1 = True
            if "net_cls" in options.split(","):
                classes = classes or target
    mode = ("hybrid" if v2 else "v1") if v1 else ("v2" if v2 else "none")
    return {"mode": mode, "v2_mount": v2, "net_cls_mount": classes}


def controllers(text: str) -> list[str]:
    """Controllers that this kernel has, mounted or not."""
    return [line.split()[0] for line in text.splitlines() if line and not line.startswith("#")]


def services() -> dict[str, Any]:
    wanted = ("Id", "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "ExecMainStartTimestampMonotonic")
    done = run("systemctl", "show", *SERVICES, "--property=" + ",".join(wanted))
    return parse_services(done.out, time.time() - time.monotonic())


def parse_services(text: str, booted: float) -> dict[str, Any]:
    """`started` is when the main process was started, in seconds since the epoch; None when it never was."""
    units = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        if values.get("Id"):
            since_boot_us = int(values.get("ExecMainStartTimestampMonotonic") or 0)
            units[values["Id"]] = {
                "loaded": values.get("LoadState") == "loaded",
                "active": values.get("ActiveState") == "active",
                "enabled": values.get("UnitFileState") in ("enabled", "static", "generated", "indirect"),
                "stale": values.get("NeedDaemonReload") == "yes",
                "started": int(booted + since_boot_us / 1e6) if since_boot_us else None,
            }
    return units


def forwarding_files() -> list[dict[str, str]]:
    """Files that speak about forwarding, in the order in which they are applied at boot; the last one wins."""
    spoken = []
    for path in sysctl_order(sysctl_paths()):
        values = FORWARDING.findall(read(path))
        if values:
            spoken.append({"path": path, "value": values[-1]})
    return spoken


def reserving_files() -> list[dict[str, Any]]:
    """Files that reserve ports, in the order in which they are applied at boot; `active` ones replace what was set."""
    return [
        {"path": path, "ports": line[1].strip(), "active": not line[0]}
        for path in sysctl_order(sysctl_paths())
        for line in RESERVED.findall(read(path))
    ]


def sysctl_paths() -> list[str]:
    paths = [path for folder in SYSCTL_FOLDERS for path in sorted(glob.glob(folder + "/*.conf"))]
    # procps reads this one after all others; systemd where a link in sysctl.d names it.
    return paths + (["/etc/sysctl.conf"] if os.path.exists("/etc/sysctl.conf") else [])


def sysctl_order(paths: list[str]) -> list[str]:
    """One file per name, folders in falling precedence, sorted by name; reached twice, a file counts last."""
    by_name = {}
    for path in paths:
        if path != "/etc/sysctl.conf":
            by_name.setdefault(os.path.basename(path), path)
    ordered = [by_name[name] for name in sorted(by_name)] + [path for path in paths if path == "/etc/sysctl.conf"]
    real = [os.path.realpath(path) for path in ordered]
    return [path for index, path in enumerate(real) if path not in real[index + 1 :]]


def disks(paths: tuple[str, ...]) -> dict[str, Any]:
    free = {}
    for path in paths:
        try:
            state = os.statvfs(path)
        except OSError:
            continue
        free[path] = {
            "free_mb": state.f_bavail * state.f_frsize // 1048576,
            "total_mb": state.f_blocks * state.f_frsize // 1048576,
            "device": os.stat(path).st_dev,
        }
    return free


def memory_mb(meminfo: str) -> int | None:
    match = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match.group(1)) // 1024 if match else None
