"""Filters that compare a role's files with what was read from the node, so that only those that differ are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROLES = Path(__file__).resolve().parents[3] / "roles"


def npufleet_differing(files: Iterable[Mapping[str, Any]], node: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those of the wanted files whose content, mode or owner is another on the node."""
    return [dict(file) for file in files if differs(node["files"].get(file["path"]), file)]


def differs(found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    if found is None or found["kind"] != "file" or found["uid"] != 0:
        return True
    content = hashlib.sha256(wanted["content"].encode()).hexdigest()
    return bool(found["sha256"] != content or found["mode"] != wanted.get("mode", "0644"))


def npufleet_there(paths: Iterable[str], node: Mapping[str, Any]) -> list[str]:
    """Those of the paths that are on the node."""
    return [path for path in paths if path in node["files"]]


def npufleet_lineage(path: str) -> list[str]:
    """A folder and those above it, deepest first, without the root; none for an empty path."""
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:count]) for count in range(len(parts), 0, -1)] if path.strip("/") else []


def npufleet_changed_since_start(paths: Iterable[str], node: Mapping[str, Any], service: str) -> list[str]:
    """Those of the paths that are newer than the service's process, which therefore does not know them.

    An earlier run was ended between writing them and restarting the service. A time that is still to come says
    nothing: the clock was set back.
    """
    started = node["system"]["services"].get(service, {}).get("started")
    times = {path: node["files"].get(path, {}).get("mtime", 0) for path in paths}
    return [path for path, time in times.items() if started and started < time <= node["system"]["time"]]


def npufleet_texts(texts: Mapping[str, str], folder: str) -> list[dict[str, str]]:
    """Texts by name as files below a folder, for nobody else's eyes."""
    return [{"path": f"{folder}/{name}", "content": text, "mode": "0600"} for name, text in sorted(texts.items())]


def npufleet_role_path(path: str) -> str:
    """A file or folder below roles/, wherever the task is that asks: other plays compare what a role would write."""
    return str(ROLES / path)


def npufleet_role_text(path: str) -> str:
    """What stands in such a file."""
    return (ROLES / path).read_text(encoding="utf-8")


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {
            "npufleet_changed_since_start": npufleet_changed_since_start,
            "npufleet_differing": npufleet_differing,
            "npufleet_lineage": npufleet_lineage,
            "npufleet_role_path": npufleet_role_path,
            "npufleet_role_text": npufleet_role_text,
            "npufleet_texts": npufleet_texts,
            "npufleet_there": npufleet_there,
        }
