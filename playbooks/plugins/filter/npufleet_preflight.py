"""Findings about a node before anything is changed: pure functions of what was read from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

# A check returns None when it has nothing to say, else the values that its text names.
Values = dict[str, Any]
Check = Callable[[Mapping[str, Any], Mapping[str, Any]], Values | None]
CHECKS: dict[str, Check] = {}

KNOWN_SYSTEMS = {"debian", "ubuntu", "euleros", "hce", "openeuler"}
ARCHITECTURES = {"aarch64", "x86_64"}
OLDEST_PYTHON = (3, 9)


def check(name: str) -> Callable[[Check], Check]:
    def register(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return register


def npufleet_preflight(
    node: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    language: str = "en",
) -> list[dict[str, Any]]:
    """One finding a check, in the order of the records: passed or failed, with text and tip."""
    severities = settings.get("severities") or {}
    findings = []
    for record in records:
        values = CHECKS[record["id"]](node, settings)
        findings.append(
            {
                "id": record["id"],
                "severity": severities.get(record["id"], record["severity"]),
                "state": "pass" if values is None else "fail",
                "text": record["title"][language] if values is None else record["text"][language].format(**values),
                "tip": "" if values is None else record["tip"][language].format(**values),
                "values": values or {},
            }
        )
    return findings


def npufleet_findings(findings: Iterable[Mapping[str, Any]], *severities: str) -> list[str]:
    """Failed findings of these severities, as sentences."""
    return [
        f"[{finding['id']}] {finding['text']} {finding['tip']}".rstrip()
        for finding in findings
        if finding["state"] == "fail" and finding["severity"] in severities
    ]


def version_key(text: str) -> tuple[tuple[int, int], ...]:
    """Sorts 23.0.rc3 before 23.0.0 before 23.0.6 before 24.1.0."""
    parts = []
    for part in str(text).strip().split("."):
        candidate = re.fullmatch(r"(?i)(rc|b)?(\d+)(?:[a-z].*)?", part)
        if candidate:
            parts.append((0 if (candidate.group(1) or "").lower() == "rc" else 1, int(candidate.group(2))))
    return tuple(parts)


def in_ranges(version: str, ranges: str) -> bool:
    """Whether a version lies in one of `[low,high],[low,high]`; a high end with a dot at its end is a prefix."""
    for low, high in re.findall(r"\[([^,\]]+),([^\]]+)\]", ranges):
        if high.endswith("."):
            if version == low or version.startswith(high):
                return True
        elif version_key(low) <= version_key(version) <= version_key(high):
            return True
    return False


def expected(node: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
    """What the inventory says, else as many as there are devices."""
    return int(settings.get("expected_npus") or 0) or len(node["npu"]["davinci"])


def count(node: Mapping[str, Any], settings: Mapping[str, Any], found: int | None) -> Values | None:
    wanted = expected(node, settings)
    return None if found == wanted else {"found": "unknown" if found is None else found, "expected": wanted}


@check("system-known")
def system_known(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    release = node["system"]["os"]
    return None if release["id"] in KNOWN_SYSTEMS else {"name": release["name"] or "?", "id": release["id"] or "?"}


@check("architecture-known")
def architecture_known(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    arch = node["system"]["arch"]
    return None if arch in ARCHITECTURES else {"arch": arch}


@check("systemd-runs")
def systemd_runs(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    return None if node["system"]["services"] else {}


@check("python-for-agent")
def python_for_agent(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    versions = [node["system"]["python"]["version"], *(python["version"] for python in node["system"]["pythons"])]
    new_enough = any(tuple(int(part) for part in text.split(".")[:2]) >= OLDEST_PYTHON for text in versions)
    return None if new_enough or settings.get("agent_python") else {"versions": ", ".join(dict.fromkeys(versions))}


@check("clock")
def clock(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    ahead = int(node["system"]["time"]) - int(settings["now"])
    return None if abs(ahead) <= int(settings["clock_tolerance_s"]) else {"seconds": abs(ahead)}


@check("disk-space")
def disk_space(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    floor = int(settings["min_free_gb"])
    for path in ("/var/lib/docker", "/"):
        disk = node["system"]["disks"].get(path)
        if disk and disk["free_mb"] < floor * 1024:
            return {"path": path, "free": f"{disk['free_mb'] / 1024:.1f}", "floor": floor}
    return None


@check("cgroup-version")
def cgroup_version(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    mode = node["system"]["cgroup"]["mode"]
    return None if mode in {"v2", "hybrid"} else {"mode": mode}


@check("engine-version")
def engine_version(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    version = node["docker"]["version"]
    old = bool(version) and version_key(version) < version_key(settings["engine_recommended"])
    return {"version": version, "recommended": settings["engine_recommended"]} if old else None


@check("engine-options")
def engine_options(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    error = node["docker"]["daemon_json"]["error"]
    return {"error": error} if error else None


@check("npu-devices")
def npu_devices(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    found = len(node["npu"]["davinci"])
    return count(node, settings, found) if found else {"found": 0, "expected": expected(node, settings) or "some"}


@check("npu-manager-devices")
def npu_manager_devices(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    missing = {"/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"} - set(node["npu"]["manager_devices"])
    return {"missing": ", ".join(sorted(missing))} if missing else None


def on_bus(node: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """NPUs on the PCI bus: lspci's list, or the kernel's own where lspci is not installed."""
    return list(node["npu"]["lspci"] or node["npu"]["pci"])


@check("npu-pci")
def npu_pci(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    return count(node, settings, len(on_bus(node)))


@check("npu-pci-dead")
def npu_pci_dead(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    dead = [item["address"] for item in on_bus(node) if item["revision"] == "ff"]
    return {"addresses": ", ".join(dead)} if dead else None


@check("npu-smi-is-a-file")
def npu_smi_is_a_file(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    paths = node["npu"]["directories_in_place_of_tools"]
    return {"paths": ", ".join(paths)} if paths else None


@check("npu-smi-answers")
def npu_smi_answers(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    error = node["npu"]["npu_smi"]["error"]
    return {"error": error} if error else None


@check("npu-smi-count")
def npu_smi_count(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    said = node["npu"]["npu_smi"]
    if said["error"]:
        return None  # npu-smi-answers tells it
    # A card may carry two chips; the chips are what /dev shows.
    return count(node, settings, len(said["chips"]) or said["total"])


@check("npu-health")
def npu_health(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    sick = [chip for chip in node["npu"]["npu_smi"].get("health", []) if chip["health"] != "OK"]
    told = ", ".join(f"card {chip['card']} chip {chip['chip']}: {chip['health']}" for chip in sick)
    return {"chips": told} if sick else None


@check("driver-version")
def driver_version(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    version, floor = node["npu"]["driver_version"], settings["min_driver"]
    if version and version_key(version) >= version_key(floor):
        return None
    return {"version": version or "unknown", "floor": floor}


@check("driver-firmware")
def driver_firmware(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    npu = node["npu"]
    driver, firmware = npu["driver_version"], npu["firmware_version"]
    if not driver or not firmware:
        return {"driver": driver or "unknown", "firmware": firmware or "unknown"}
    fits = (firmware, npu["driver_wants_firmware"]), (driver, npu["firmware_wants_driver"])
    wrong = any(ranges and not in_ranges(version, ranges) for version, ranges in fits)
    return {"driver": driver, "firmware": firmware} if wrong else None


@check("npu-holders")
def npu_holders(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    """Who has an NPU now: containers by the devices they were given, processes by npu-smi's table."""
    held = []
    for container in node["docker"]["containers"]:
        numbers = [path[12:] for path in container["devices"] if re.fullmatch(r"/dev/davinci\d+", path)]
        if "privileged" in container["devices"]:
            held.append(f"container {container['name']} may have all (privileged)")
        elif numbers:
            held.append(f"container {container['name']} has {', '.join(numbers)}")
    held += [
        f"process {process['name'] or '?'} (pid {process['pid']}) uses card {process['card']}"
        for process in node["npu"]["npu_smi"].get("processes", [])
    ]
    return {"holders": "; ".join(held)} if held else None


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"npufleet_preflight": npufleet_preflight, "npufleet_findings": npufleet_findings}
