"""What Docker's daemon.json should hold, and what it takes to put it there."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

# A daemon takes these on a reload; everything else needs a restart.
RELOADABLE = {
    "authorization-plugins",
    "debug",
    "default-runtime",
    "features",
    "insecure-registries",
    "labels",
    "live-restore",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "registry-mirrors",
    "runtimes",
    "shutdown-timeout",
}
# Flags whose key in the file has another name.
KEY_OF_FLAG = {
    "H": "hosts",
    "add-runtime": "runtimes",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}
DRIVER_OPTION = "native.cgroupdriver="


def npufleet_daemon_plan(
    docker: Mapping[str, Any], desired: Mapping[str, Any], cgroup_mode: str = "v1", cgroup_parent: str = ""
) -> dict[str, Any]:
    """The merged options, and which of the wanted keys differ, by what the daemon needs to take them."""
    text = docker["daemon_json"]["text"]
    now = options_of(text)
    given = {KEY_OF_FLAG.get(flag, flag) for flag in docker["flags"]}
    wanted = wanted_options(docker, desired, cgroup_mode, cgroup_parent)
    options = merge(now, {key: value for key, value in wanted.items() if key not in given})
    changed = sorted(key for key in options if options[key] != now.get(key))
    return {
        "options": options,
        "text": rendered(options, text),
        "changed": changed,
        "ignored": ignored(docker, options) if not changed else [],
        "restart": [key for key in changed if key not in RELOADABLE],
        # A key that is a flag of the daemon as well would keep it from starting.
        "left_to_flags": sorted(set(wanted) & given),
    }


def options_of(text: str) -> dict[str, Any]:
    """The file's options in the order in which they stand there; of a file that is broken, none."""
    try:
        options = json.loads(text) if text.strip() else {}
    except ValueError:
        return {}
    return options if isinstance(options, dict) else {}


def rendered(options: Mapping[str, Any], like: str) -> str:
    """The options as text, indented as the file is that they go into."""
    indented = re.search(r'^([ \t]+)"', like, re.MULTILINE)
    return json.dumps(options, indent=indented[1] if indented else 2, ensure_ascii=False) + "\n"


def ignored(docker: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """What the file says and the running engine does not do: it was not told that the file changed."""
    does = docker["info"].get("live_restore")
    return ["live-restore"] if does is not None and options.get("live-restore", does) != does else []


def wanted_options(
    docker: Mapping[str, Any], desired: Mapping[str, Any], cgroup_mode: str, cgroup_parent: str
) -> dict[str, Any]:
    wanted = dict(desired)
    if docker["info"].get("swarm"):
        # A swarm node refuses to start with it.
        wanted.pop("live-restore", None)
    exec_options = merge(options_of(docker["daemon_json"]["text"]).get("exec-opts", []), wanted.get("exec-opts", []))
    told = told_driver(exec_options)
    if cgroup_parent and (told or npufleet_cgroup_driver(docker, cgroup_mode)) == "systemd":
        wanted.setdefault("cgroup-parent", cgroup_parent)
    return wanted


def told_driver(exec_options: list[str]) -> str:
    drivers = [option.split("=", 1)[1] for option in exec_options if option.startswith(DRIVER_OPTION)]
    return drivers[-1] if drivers else ""


def npufleet_cgroup_driver(docker: Mapping[str, Any], cgroup_mode: str) -> str:
    """The driver that runs, or the one that will: what daemon.json says, else the engine's own choice."""
    running = docker["info"].get("cgroup_driver")
    told = told_driver(options_of(docker["daemon_json"]["text"]).get("exec-opts", []))
    if running or told:
        return str(running or told)
    return "systemd" if cgroup_mode == "v2" else "cgroupfs"


def merge(current: Any, wanted: Any) -> Any:
    """Objects are merged key by key, lists united in order, everything else is as wanted."""
    if isinstance(current, Mapping) and isinstance(wanted, Mapping):
        merged = {key: copy.deepcopy(value) for key, value in current.items()}
        for key, value in wanted.items():
            merged[key] = merge(merged[key], value) if key in merged else copy.deepcopy(value)
        return merged
    if isinstance(current, list) and isinstance(wanted, list):
        return [*current, *(item for item in wanted if item not in current)]
    return copy.deepcopy(wanted)


def npufleet_daemon_record(
    docker: Mapping[str, Any], plan: Mapping[str, Any], found: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What `remove` needs: the file as it was at first, and what was put over it since."""
    file = docker["daemon_json"]
    first = found if found and "text" in found else file
    current = options_of(file["text"])
    before = dict((found or {}).get("before", {}))
    for key in plan["changed"]:
        if key not in before:
            before[key] = {"had": key in current, "value": current.get(key)}
    after = {**(found or {}).get("after", {}), **{key: plan["options"][key] for key in plan["changed"]}}
    kept = {key: first.get(key) for key in ("text", "mode", "folder")}
    return {**kept, "before": before, "after": after}


def npufleet_daemon_undo(docker: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The file's text without what was put there: byte by byte as it was found, unless somebody changed it since."""
    text = docker["daemon_json"]["text"]
    options = options_of(text)
    for key, value in found["after"].items():
        if options.get(key) == value:
            old = found["before"][key]
            if old["had"]:
                options[key] = old["value"]
            else:
                del options[key]
    if options == options_of(found["text"]):
        return str(found["text"])
    return rendered(options, text)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {
            "npufleet_cgroup_driver": npufleet_cgroup_driver,
            "npufleet_daemon_plan": npufleet_daemon_plan,
            "npufleet_daemon_record": npufleet_daemon_record,
            "npufleet_daemon_undo": npufleet_daemon_undo,
        }
