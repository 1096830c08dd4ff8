"""Who has an NPU now: containers by the devices they were given, processes by npu-smi and by their open files."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from typing import Any

from ansible.module_utils.npufleet.run import read

DAVINCI = re.compile(r"^/dev/davinci(\d+)$")
CONTAINER = re.compile(r"([0-9a-f]{64})")


def gather(docker: dict[str, Any], npu: dict[str, Any], root: str = "/proc") -> list[dict[str, Any]]:
    """One entry a holder; `npus` is empty where npu-smi's card cannot be told to be a /dev/davinciN."""
    names = {container["id"]: container["name"] for container in docker["containers"]}
    held = [holder for container in docker["containers"] for holder in of_container(container, npu["davinci"])]
    for pid, process in sorted(processes(npu, root).items()):
        inside = names.get(process["container"], process["container"])
        held.append(dict(process, kind="process", pid=pid, container=inside, npus=sorted(process["npus"])))
    return held


def of_container(container: dict[str, Any], all_npus: list[int]) -> list[dict[str, Any]]:
    given = sorted({int(match.group(1)) for match in map(DAVINCI.match, container["devices"]) if match})
    privileged = "privileged" in container["devices"]
    if not given and not privileged:
        return []
    npus = all_npus if privileged else given
    about = {"name": container["name"], "image": container["image"], "since": container["created"]}
    return [dict(about, kind="container", npus=npus, privileged=privileged)]


def processes(npu: dict[str, Any], root: str) -> dict[int, dict[str, Any]]:
    """By pid; a process that npu-smi and the kernel both name is one."""
    said = npu["npu_smi"]
    npu_of = {(chip["card"], chip["chip"]): chip["npu"] for chip in said.get("chips", [])}
    found: dict[int, dict[str, Any]] = {}
    for one in said.get("processes", []):
        real = process(root, one["pid"])
        entry = found.setdefault(one["pid"], dict(real, name=one["name"] or real["name"], npus=set()))
        if (one["card"], one["chip"]) in npu_of:
            entry["npus"].add(npu_of[one["card"], one["chip"]])
    for pid, npus in openers(root).items():
        found.setdefault(pid, dict(process(root, pid), npus=set()))["npus"].update(npus)
    return found


def openers(root: str) -> dict[int, set[int]]:
    """Processes that have an NPU's device file open, by the kernel's own word; npu-smi need not answer for that."""
    found = {}
    for folder in glob.glob(root + "/[0-9]*"):
        npus = {int(match.group(1)) for match in map(DAVINCI.match, open_files(folder)) if match}
        if npus:
            found[int(os.path.basename(folder))] = npus
    return found


def open_files(folder: str) -> list[str]:
    """Where the descriptors of a process lead; one that has ended meanwhile has none."""
    names: list[str] = []
    with contextlib.suppress(OSError), os.scandir(folder + "/fd") as entries:
        names.extend(os.readlink(entry.path) for entry in entries)
    return names


def process(root: str, pid: int) -> dict[str, Any]:
    """Name and container of a process; both None when it is not there any more."""
    name = read(f"{root}/{pid}/comm").strip()
    inside = CONTAINER.findall(read(f"{root}/{pid}/cgroup"))
    return {"name": name or None, "container": inside[-1] if inside else None}
