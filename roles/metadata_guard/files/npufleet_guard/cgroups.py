"""Where containers with host networking are in the control groups, and which groups a packet filter can name."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from npufleet_guard.run import run

CLASS = 0x4E505546
PATH, NET_CLS, NONE = "cgroup-v2-path", "net-cls", "none"
_ID = re.compile(r"[0-9a-f]{64}")


class Mounts(NamedTuple):
    """Empty where the hierarchy is not mounted."""

    v2: str
    classes: str


class Member(NamedTuple):
    """One process of a container with host networking; paths are relative to the mount, "" is the root."""

    pid: int
    container: str
    v2: str
    classes: str


def mounts(text: str) -> Mounts:
    """Read /proc/self/mounts."""
    v2 = classes = ""
    for _, target, kind, options in (line.split()[:4] for line in text.splitlines()):
        if kind == "cgroup2":
            v2 = v2 or target
        elif kind == "cgroup" and "net_cls" in options.split(",") and not classes:
            classes = target
    return Mounts(v2, classes)


def now() -> Mounts:
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as stream:
        return mounts(stream.read())


def member(pid: int, text: str) -> Member | None:
    """Read /proc/PID/cgroup; None for a process that is in no container. Any hierarchy may name the container."""
    found = _ID.search(text)
    if not found:
        return None
    v2 = classes = ""
    for line in text.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            v2 = path.strip("/")
        elif "net_cls" in controllers.split(","):
            classes = path.strip("/")
    return Member(pid, found.group(), v2, classes)


def members(proc: str = "/proc") -> list[Member]:
    """Every process of a container that shares the node's own network."""
    host = os.readlink(f"{proc}/1/ns/net")
    found = []
    for entry in os.listdir(proc):
        if not entry.isdigit():
            continue
        try:
            with open(f"{proc}/{entry}/cgroup", encoding="utf-8", errors="replace") as stream:
                seen = member(int(entry), stream.read())
            if seen and os.readlink(f"{proc}/{entry}/ns/net") == host:
                found.append(seen)
        except OSError:  # it ended meanwhile
            continue
    return found


def inside(path: str, parents: list[str]) -> bool:
    return any(path == parent or path.startswith(parent + "/") for parent in parents)


def own_group(seen: Member) -> str:
    """The container's own group, which is up to its id; empty where its runtime did not give it one."""
    parts = seen.v2.split("/")
    depth = next((index for index, part in enumerate(parts) if seen.container in part), None)
    return "" if depth is None else "/".join(parts[: depth + 1])


def nameable(found: list[Member], parents: list[str], mount: str) -> list[str]:
    """Paths for the packet filter: the parents that exist, and containers' own groups outside of them."""
    there = [parent for parent in parents if os.path.isdir(os.path.join(mount, parent))]
    outside = {own_group(seen) for seen in found if not inside(seen.v2, there)} - {""}
    return [*there, *sorted(outside)]


def make_parents(driver: str, mount: str) -> None:
    """They must be there before the first container, or there is nothing that a rule could name."""
    if driver == "systemd":
        run("systemctl", "start", "npufleet.slice")
    elif mount:
        os.makedirs(os.path.join(mount, "docker"), exist_ok=True)


def classify(mount: str, parents: list[str], found: list[Member]) -> None:
    """Put the containers' groups into the class: the parents, from which new groups inherit it, and those outside."""
    for parent in parents:
        os.makedirs(os.path.join(mount, parent), exist_ok=True)
    outside = {seen.classes for seen in found if seen.container in seen.classes and not inside(seen.classes, parents)}
    for group in (*parents, *sorted(outside)):
        _set_class(os.path.join(mount, group), CLASS)


def class_of(mount: str, group: str) -> int:
    try:
        with open(os.path.join(mount, group, "net_cls.classid"), encoding="ascii") as stream:
            return int(stream.read())
    except (OSError, ValueError):
        return 0


def unclassify() -> None:
    """Take the class from every group."""
    mount = now().classes
    for folder, _, _ in os.walk(mount, topdown=False) if mount else ():
        if class_of(mount, os.path.relpath(folder, mount)) == CLASS:
            _set_class(folder, 0)


def _set_class(group: str, value: int) -> None:
    try:
        with open(os.path.join(group, "net_cls.classid"), "w", encoding="ascii") as stream:
            stream.write(str(value))
    except FileNotFoundError:  # the container ended meanwhile
        return
