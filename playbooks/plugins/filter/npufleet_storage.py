"""Mount units and folders of shared file systems: what they should be, and what is missing on a node."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

NETWORK_TYPES = ("nfs", "nfs4")
UNIT_FOLDER = "/etc/systemd/system"
WANTED_BY = "multi-user.target"
# Containers that the engine starts at boot must find the file system and not the empty folder below it; the time
# limit keeps a server that is gone from holding up engine or boot for longer. nofail: other units do not fail with it.
UNIT = """\
# Managed by npufleet; see roles/storage.
[Unit]
Description={source} on {path}
Wants=network-online.target
After=network-online.target
Before=docker.service

[Mount]
What={source}
Where={path}
Type={type}
Options={options}
TimeoutSec={timeout}

[Install]
WantedBy={wanted_by}
"""


def npufleet_mount_unit(path: str) -> str:
    """The name that systemd demands for the mount unit of a path."""
    words = os.path.normpath(path).strip("/")
    escaped = re.sub(r"[^A-Za-z0-9:_./]", lambda match: "".join(f"\\x{b:02x}" for b in match[0].encode()), words)
    escaped = re.sub(r"^\.", r"\\x2e", escaped)
    return (escaped.replace("/", "-") or "-") + ".mount"


def npufleet_mount_unit_files(
    mounts: Iterable[Mapping[str, Any]], nfs_options: str, timeout_s: int
) -> list[dict[str, Any]]:
    """The unit of every mount, with its name and the link that starts it at boot."""
    files = []
    for mount in mounts:
        kind = mount.get("type") or "nfs"
        options = mount.get("options") or (nfs_options if kind in NETWORK_TYPES else "")
        words = [word for word in options.split(",") if word]
        words += [word for word in ("_netdev", "nofail") if word not in words]
        path = os.path.normpath(mount["path"])
        unit = npufleet_mount_unit(path)
        fields = {"source": percent(mount["source"]), "path": percent(path), "type": kind, "wanted_by": WANTED_BY}
        content = UNIT.format(options=percent(",".join(words)), timeout=timeout_s, **fields)
        where = {"path": f"{UNIT_FOLDER}/{unit}", "link": f"{UNIT_FOLDER}/{WANTED_BY}.wants/{unit}"}
        files.append(
            {**where, "content": content, "unit": unit, "point": path, "source": mount["source"], "type": kind}
        )
    return files


def percent(text: str) -> str:
    """Systemd reads % as the beginning of a specifier."""
    return text.replace("%", "%%")


def npufleet_storage_plan(
    node: Mapping[str, Any],
    units: list[dict[str, Any]],
    folders: Iterable[Mapping[str, Any]],
    owner: Mapping[str, int],
    found: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What is to be done, in this order: stop for `error`, make `points`, `write` units, `start` them, make `folders`.

    `record` is what `remove` needs: the units, the folders made for them to be mounted on, and mode and owner of every
    other folder as it was (None: it was not there).
    """
    facts, found = node["storage"], found or {}
    mine = [unit for unit in units if not of_others(unit, facts, found)]
    write = [unit for unit in mine if unit_differs(unit, node["files"])]
    start = [unit for unit in mine if facts["mounts"].get(unit["point"]) is None]
    differing = [folder for item in folders if folder_differs(folder := folder_of(item, owner), facts)]
    # What lies below a mount is seen only when it is there.
    hidden = [unit["point"] for unit in start]
    seen = [folder["path"] for folder in differing if not set(hidden) & set(steps(folder["path"]))]
    return {
        "error": problem(node, units, found),
        # While nothing is mounted, only root writes there: a job's user gets an error instead of filling the disk.
        "points": [{"path": p, "mode": "0555"} for p in hidden if facts["folders"].get(p) is None],
        "write": [{"path": unit["path"], "content": unit["content"]} for unit in write],
        "start": sorted({unit["unit"]: unit["point"] for unit in [*start, *write]}.items()),
        "folders": differing,
        "record": record(facts, found, mine, seen),
    }


def record(
    facts: Mapping[str, Any], found: Mapping[str, Any], units: Iterable[Mapping[str, Any]], folders: Iterable[str]
) -> dict[str, Any]:
    there = facts["folders"]
    missing = [step for unit in units for step in steps(unit["point"]) if there.get(step) is None]
    before = dict(found.get("folders", {}))
    for folder in folders:
        for step in steps(folder):
            if step == folder or there.get(step) is None:
                before.setdefault(step, there.get(step))
    return {
        "units": {**found.get("units", {}), **{unit["unit"]: unit["point"] for unit in units}},
        "points": sorted({*found.get("points", []), *missing}),
        "folders": before,
    }


def steps(path: str) -> list[str]:
    """The folder and those above it, without the root."""
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def of_others(unit: Mapping[str, Any], facts: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Mounted as wanted by somebody else already: by fstab, or by hand."""
    return unit["unit"] not in found.get("units", {}) and facts["mounts"].get(unit["point"]) is not None


def unit_differs(unit: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]) -> bool:
    content = hashlib.sha256(unit["content"].encode()).hexdigest()
    return files.get(unit["path"], {}).get("sha256") != content or unit["link"] not in files


def folder_of(folder: Mapping[str, Any], owner: Mapping[str, int]) -> dict[str, Any]:
    wanted = {"mode": "0755", **owner, **folder}
    return {**wanted, "path": os.path.normpath(folder["path"]), "mode": str(wanted["mode"]).zfill(4)}


def folder_differs(folder: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    there = facts["folders"].get(folder["path"])
    return there is None or any(there[key] != folder[key] for key in ("mode", "uid", "gid"))


def problem(node: Mapping[str, Any], units: Iterable[Mapping[str, Any]], found: Mapping[str, Any]) -> str:
    """Why nothing may be done, with the remedy; empty when there is no reason."""
    facts = node["storage"]
    for path, why in facts["broken"].items():
        return (
            f"{path} cannot be looked at ({why}); if its server is gone, bring it back, or take the mount away with "
            f"`umount -l` on the node."
        )
    for unit in units:
        point, kind = unit["point"], unit["type"]
        there, ours = facts["mounts"].get(point), unit["unit"] in found.get("units", {})
        if there and not ours and there["source"].rstrip("/") != unit["source"].rstrip("/"):
            return f"{there['source']} is mounted on {point} already; unmount it or correct storage_mounts."
        if not there and not ours and unit["path"] in node["files"]:
            return f"{unit['path']} is a unit of somebody else; remove it or take {point} out of storage_mounts."
        if kind in NETWORK_TYPES and not there and not facts["helpers"].get(kind):
            return (
                f"the system has no mount.{kind}, which {point} needs; install the NFS client "
                "(nfs-utils, on Debian and Ubuntu nfs-common)."
            )
    return ""


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {
            "npufleet_mount_unit": npufleet_mount_unit,
            "npufleet_mount_unit_files": npufleet_mount_unit_files,
            "npufleet_storage_plan": npufleet_storage_plan,
        }
