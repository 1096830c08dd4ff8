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
HCCL_PORTS = range(60000, 60032)
ENGINE_GREW_IN = ("19.03", "20.10", "23.0")
LIBRARY = re.compile(r"(lib\w[\w.+-]*\.so[\w.]*)")
TIMED_OUT = 124
VERSIONS = ("driver_version", "driver_wants_firmware", "firmware_version", "firmware_wants_driver")
UNKNOWN = {"en": "unknown", "zh": "未知"}


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
    """One finding a check, in the order of the records: passed or failed, with text and tip.

    A failed one has them in every language too: who asks and who helps need not read the same.
    """
    severities = settings.get("severities") or {}
    findings = []
    for record in records:
        severity = severities.get(record["id"], record["severity"])
        if severity == "off":
            continue
        values = CHECKS[record["id"]](node, settings)
        said = {one: told(record, values, one) for one in record["title"]}
        findings.append(
            {
                "id": record["id"],
                "severity": severity,
                "state": "pass" if values is None else "fail",
                **said[language],
                "values": values or {},
                "languages": said if values is not None else {},
            }
        )
    return findings


def told(record: Mapping[str, Any], values: Values | None, language: str) -> dict[str, str]:
    """Text and tip. `hints` among the values name sentences of the record, which say what this case is about."""
    if values is None:
        return {"text": record["title"][language], "tip": ""}
    hints = " ".join(record["hints"][name][language] for name in values.get("hints", []))
    words = {key: UNKNOWN[language] if value is None else value for key, value in values.items()}
    words["hints"] = hints.format(**words)
    return {key: record[key][language].format(**words).strip() for key in ("text", "tip")}


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


@check("kernel-pending")
def kernel_pending(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    """A newer kernel that is installed and not running: the driver was built for the one that runs."""
    running = node["system"]["kernel"]
    newer = [name for name in node["host"]["kernels"] if numbers(name) > numbers(running)]
    return {"running": running, "newer": ", ".join(newer)} if newer else None


def numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


@check("time-service")
def time_service(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    return None if node["host"]["time_services"] else {}


@check("hugepages")
def hugepages(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    """Memory in reserved huge pages is lost to containers that do not ask for it."""
    memory = node["host"]["memory"]
    reserved, total = memory["hugepages_mb"], memory["total_mb"]
    much = reserved is not None and total is not None and reserved * 2 > total
    return {"reserved": reserved // 1024, "total": total // 1024} if much else None


@check("ip-forward")
def ip_forward(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    live = node["system"]["ip_forward"]["live"]
    return None if live == "1" else {"live": live or None}


@check("hccl-ports")
def hccl_ports(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    spans = re.findall(r"(\d+)(?:-(\d+))?", node["host"]["reserved_ports"])
    kept = [range(int(low), int(high or low) + 1) for low, high in spans]
    free = [port for port in HCCL_PORTS if not any(port in span for span in kept)]
    return {"free": ranges(free), "reserved": node["host"]["reserved_ports"] or "-"} if free else None


def ranges(found: Iterable[int]) -> str:
    """0, 1, 2, 5 as 0-2, 5."""
    spans: list[list[int]] = []
    for number in sorted(set(found)):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


@check("clock")
def clock(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    ahead = int(node["system"]["time"]) - int(settings["now"])
    return None if abs(ahead) <= int(settings["clock_tolerance_s"]) else {"seconds": abs(ahead)}


@check("disk-space")
def disk_space(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    floor = int(settings["min_free_gb"])
    for path in sorted(node["system"]["disks"], key=len, reverse=True):
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
    """`hints` are the versions whose features this engine lacks."""
    version = node["docker"]["version"]
    if not version or version_key(version) >= version_key(settings["engine_recommended"]):
        return None
    lacks = [since for since in ENGINE_GREW_IN if version_key(version) < version_key(since)]
    return {"version": version, "recommended": settings["engine_recommended"], "hints": lacks}


@check("engine-cgroup")
def engine_cgroup(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    version, mode = node["docker"]["version"], node["system"]["cgroup"]["mode"]
    blind = mode == "v2" and version and version_key(version) < version_key("20.10")
    return {"version": version} if blind else None


@check("engine-options")
def engine_options(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    error = node["docker"]["daemon_json"]["error"]
    return {"error": error} if error else None


@check("npu-count")
def npu_count(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    """Every place that counts NPUs, and which of them disagree: the first one that does names the broken layer."""
    counts = npu_counts(node, settings)
    known = [found for found in counts.values() if found is not None]
    wanted = counts.get("inventory") or max(known, default=0)
    wrong = [source for source, found in counts.items() if found != wanted]
    if wanted and not wrong:
        return None
    layers = {"pci": "pci", "/dev/davinci*": "dev"}
    hint = next((layers.get(source, "tool") for source in wrong), "none")
    told = ", ".join(f"{source} {'?' if found is None else found}" for source, found in counts.items())
    return {"counts": told, "wanted": wanted, "wrong": ", ".join(wrong) or "-", "hints": [hint], "by_source": counts}


def npu_counts(node: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, int | None]:
    """By source, nearest to the hardware first; npu-smi's are left out where it does not answer at all."""
    npu, said = node["npu"], node["npu"]["npu_smi"]
    counts: dict[str, int | None] = {"pci": len(on_bus(node)), "/dev/davinci*": len(npu["davinci"])}
    if not said["error"]:
        counts["npu-smi info"] = len(said["health"]) or None
        counts["npu-smi info -l"] = said["listed"]
        counts["npu-smi info -m"] = len(said["chips"]) or None
    told = int(settings.get("expected_npus") or 0)
    return {"inventory": told, **counts} if told else counts


def on_bus(node: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """NPUs on the PCI bus: lspci's list, or the kernel's own where lspci is not installed."""
    return list(node["npu"]["lspci"] or node["npu"]["pci"])


@check("npu-manager-devices")
def npu_manager_devices(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    missing = {"/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"} - set(node["npu"]["manager_devices"])
    return {"missing": ", ".join(sorted(missing))} if missing else None


@check("npu-pci-dead")
def npu_pci_dead(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    dead = [item["address"] for item in on_bus(node) if item["revision"] == "ff"]
    return {"addresses": ", ".join(dead)} if dead else None


@check("npu-smi-is-a-file")
def npu_smi_is_a_file(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    paths = node["npu"]["directories_in_place_of_tools"]
    return {"paths": ", ".join(paths)} if paths else None


@check("npu-smi-runs")
def npu_smi_runs(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    """A tool that is there and cannot be started; where another one answers, that is no trouble."""
    unusable = node["npu"]["unusable_tools"]
    if node["npu"]["npu_smi"]["path"] or not unusable:
        return None
    return {"tools": "; ".join(f"{tool['path']}: {tool['why']}" for tool in unusable)}


@check("npu-smi-library")
def npu_smi_library(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    missing = LIBRARY.search(node["npu"]["npu_smi"]["error"] or "")
    return {"library": missing.group(1)} if missing else None


@check("npu-smi-answers")
def npu_smi_answers(node: Mapping[str, Any], settings: Mapping[str, Any]) -> Values | None:
    error = node["npu"]["npu_smi"]["error"]
    told_elsewhere = (npu_smi_is_a_file, npu_smi_runs, npu_smi_library)
    if not error or any(other(node, settings) for other in told_elsewhere):
        return None
    codes = [code for code in ("8005", "8020") if code in error]
    hung = ["hung"] if node["npu"]["npu_smi"].get("code") == TIMED_OUT else []
    return {"error": error, "hints": codes or hung or ["other"]}


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
    """Both version.info files say what they go with: the one that does not is named."""
    npu = node["npu"]
    driver, firmware = npu["driver_version"], npu["firmware_version"]
    wants, wanted_by = npu["driver_wants_firmware"], npu["firmware_wants_driver"]
    if not driver or not firmware:
        hints = ["unknown"]
    elif not wants and not wanted_by:
        hints = ["silent"]
    else:
        hints = ["driver"] if wants and not in_ranges(firmware, wants) else []
        hints += ["firmware"] if wanted_by and not in_ranges(driver, wanted_by) else []
    values = {"driver": driver, "firmware": firmware, "wants": wants, "wanted_by": wanted_by, "hints": hints}
    return values if hints else None


def holder_text(holder: Mapping[str, Any]) -> str:
    npus = f"NPU {ranges(holder['npus'])}" if holder["npus"] else "NPU ?"
    if holder["kind"] == "container":
        return f"{npus}: container {holder['name']}" + (" (privileged)" if holder["privileged"] else "")
    inside = f", container {holder['container']}" if holder["container"] else ""
    return f"{npus}: {holder['name'] or '?'} (pid {holder['pid']}{inside})"


@check("npu-holders")
def npu_holders(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    held = node["holders"]
    return {"holders": "; ".join(map(holder_text, held)), "by_holder": held} if held else None


@check("npu-shared")
def npu_shared(node: Mapping[str, Any], _: Mapping[str, Any]) -> Values | None:
    """Only the first container that opens an NPU can use it."""
    owners: dict[int, list[str]] = {}
    for holder in node["holders"]:
        for npu in holder["npus"] if holder["kind"] == "container" else []:
            owners.setdefault(npu, []).append(holder["name"])
    shared = {npu: names for npu, names in owners.items() if len(names) > 1}
    told = "; ".join(f"NPU {npu}: {', '.join(names)}" for npu, names in sorted(shared.items()))
    return {"shared": told} if shared else None


def npufleet_preflight_summary(node: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a fleet table and a support ticket say about a node: chosen fields, none of which can hold a secret."""
    system, docker, npu = node["system"], node["docker"], node["npu"]
    return {
        "hostname": system["hostname"],
        "system": system["os"]["name"],
        "arch": system["arch"],
        "kernel": system["kernel"],
        "python": system["python"]["version"],
        "cgroup": system["cgroup"]["mode"],
        "memory": node["host"]["memory"],
        "disks": system["disks"],
        "time_services": node["host"]["time_services"],
        "ip_forward": system["ip_forward"]["live"],
        "reserved_ports": node["host"]["reserved_ports"],
        "engine": {key: docker[key] for key in ("version", "api_version", "running")},
        "containers": [{key: one[key] for key in ("name", "image", "network")} for one in docker["containers"]],
        "driver": {key: npu[key] for key in VERSIONS},
        "npu_smi": {key: npu["npu_smi"].get(key) for key in ("path", "error", "health")},
        "counts": npu_counts(node, settings),
        "holders": node["holders"],
    }


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {
            "npufleet_findings": npufleet_findings,
            "npufleet_preflight": npufleet_preflight,
            "npufleet_preflight_summary": npufleet_preflight_summary,
        }
