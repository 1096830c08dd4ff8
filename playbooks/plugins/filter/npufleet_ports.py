"""Ports that the kernel must not give to outgoing connections: what is reserved already, and what is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

LAST_PORT = 65535


def ports_of(text: str) -> set[int]:
    """The ports of a list such as `8080,60000-60031`; a ValueError names the part that is none."""
    ports: set[int] = set()
    for part in text.replace(",", " ").split():
        first, dash, last = part.partition("-")
        low, high = int(first), int(last if dash else first)
        if not 0 <= low <= high <= LAST_PORT:
            raise ValueError(f"{part} is no range of ports")
        ports.update(range(low, high + 1))
    return ports


def text_of(ports: Iterable[int]) -> str:
    """The list as the kernel itself prints it."""
    ranges: list[list[int]] = []
    for port in sorted(set(ports)):
        if ranges and port == ranges[-1][1] + 1:
            ranges[-1][1] = port
        else:
            ranges.append([port, port])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges)


def npufleet_ports_plan(
    facts: Mapping[str, Any], wanted: str, path: str, found: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What should be reserved now and after a boot, and the files that would take it away again at boot.

    `path` is the role's own file, `found` what an earlier run remembered. `live` and `boot` are the lists to set, None
    where nothing is to be set: what others reserve is in both, each as far as it is reserved there today.
    """
    try:
        return plan(facts, ports_of(wanted), path, found or {})
    except ValueError as problem:
        return {"error": str(problem)}


def plan(facts: Mapping[str, Any], needed: set[int], path: str, found: Mapping[str, str]) -> dict[str, Any]:
    others = [file for file in facts["files"] if file["path"] != path]
    at_boot = ports_of(others[-1]["ports"]) if others else set()  # each line replaces the one before
    ours = any(file["path"] == path or not file["active"] for file in facts["files"])
    covered = needed <= at_boot and not ours
    live = ports_of(facts["live"])
    added = ports_of(found.get("added", "")) | needed
    return {
        "live": None if needed <= live else text_of(live | needed),
        "boot": None if covered else text_of(at_boot | needed),
        "opponents": [] if covered else opponents(others, path, needed),
        "record": {"live": found.get("live", facts["live"]), "added": text_of(added)},
    }


def opponents(others: Iterable[Mapping[str, Any]], path: str, needed: set[int]) -> list[str]:
    """Files that are applied after the role's own, in /etc/sysctl.conf or by their name, and reserve less."""
    later = (f for f in others if f["path"] == "/etc/sysctl.conf" or Path(f["path"]).name > Path(path).name)
    return [file["path"] for file in later if file["active"] and not needed <= ports_of(file["ports"])]


def npufleet_ports_undo(live: str, found: Mapping[str, str]) -> str | None:
    """The list without what the role added; None where that changes nothing."""
    now = ports_of(live)
    rest = now - (ports_of(found["added"]) - ports_of(found["live"]))
    return None if rest == now else text_of(rest)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"npufleet_ports_plan": npufleet_ports_plan, "npufleet_ports_undo": npufleet_ports_undo}
