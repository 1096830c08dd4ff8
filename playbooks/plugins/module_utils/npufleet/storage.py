"""Facts about file systems that come over the network, read so that a server that is gone holds nobody up."""

from __future__ import annotations

import os
import re
from typing import Any

from ansible.module_utils.npufleet.run import Done, read, run, which

LOOK = "%a|%u|%g|%F|%n"
LOOK_TIMEOUT_S = 5


def gather(points: list[str], folders: list[str], types: list[str]) -> dict[str, Any]:
    """What is mounted at the points, and mode and owner of every folder down to them and below them."""
    mounted = mounts(read("/proc/self/mounts"))
    paths = sorted({step for path in [*points, *folders] for step in lineage(path)})
    facts: dict[str, Any] = {
        "mounts": {point: mounted.get(point) for point in points},
        "folders": {},
        "broken": {},
        "helpers": {kind: which(f"mount.{kind}") for kind in types},
    }
    for group in by_mount(paths, list(mounted)).values():
        # Never a stat of this process's own: what hangs in it cannot be given up.
        seen, broken = understand(group, run("stat", "-L", "-c", LOOK, "--", *group, timeout=LOOK_TIMEOUT_S))
        facts["folders"].update(seen)
        facts["broken"].update(broken)
    return facts


def lineage(path: str) -> list[str]:
    """The folder and those above it, without the root."""
    parts = os.path.normpath(path).strip("/").split("/")
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def mounts(text: str) -> dict[str, dict[str, str]]:
    """Source and type by mount point; of several at one point the last is the one that is seen."""
    table = {}
    for line in text.splitlines():
        fields = [re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field) for field in line.split(" ")]
        if len(fields) > 2:
            table[fields[1]] = {"source": fields[0], "type": fields[2]}
    return table


def by_mount(paths: list[str], points: list[str]) -> dict[str, list[str]]:
    """Paths by the mount that they lie in, so that one silent server hides only its own."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        over = [point for point in points if path == point or path.startswith(point.rstrip("/") + "/")]
        groups.setdefault(max(over, key=len, default="/"), []).append(path)
    return groups


def understand(paths: list[str], done: Done) -> tuple[dict[str, Any], dict[str, str]]:
    """Folders as they are (None: not there), and why where they cannot be looked at."""
    if done.code in (124, 127):
        return {}, dict.fromkeys(paths, f"no answer within {LOOK_TIMEOUT_S} s" if done.code == 124 else done.err)
    seen: dict[str, Any] = dict.fromkeys(paths)
    for line in done.out.splitlines():
        mode, uid, gid, kind, path = line.split("|", 4)
        seen[path] = {"mode": mode.zfill(4), "uid": int(uid), "gid": int(gid), "kind": kind}
    broken = {}
    for path, why in re.findall(r"^stat: cannot \w+ '(.*)': (.+)$", done.err, re.MULTILINE):
        if why not in ("No such file or directory", "Not a directory"):
            broken[path] = why
            seen.pop(path, None)
    return seen, broken
