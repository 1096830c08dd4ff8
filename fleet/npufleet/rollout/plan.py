"""Which nodes go together, and in which order."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from npufleet.errors import UsageError
from npufleet.inventory import Node, did_you_mean
from npufleet.rollout.amounts import Amount, count
from npufleet.rollout.settings import Settings

Batches = list[list[str]]


def choose(nodes: Sequence[Node], limit: str | None) -> list[Node]:
    """The nodes of a limit: names, groups and shell patterns, parted by commas; `!` leaves out."""
    if not limit:
        return list(nodes)
    taken: dict[str, Node] = {}
    for word in (part.strip() for part in limit.replace(":", ",").split(",")):
        pattern = word.removeprefix("!")
        hits = [node for node in nodes if fnmatch.fnmatchcase(node.name, pattern) or pattern in node.groups]
        if not hits:
            raise UsageError(
                f"--limit {limit}: nothing is called {pattern}.{did_you_mean(pattern, [n.name for n in nodes])}",
                code="node-unknown",
                remedy="Give names, groups or patterns of the inventory, parted by commas.",
            )
        for node in hits:
            if word.startswith("!"):
                taken.pop(node.name, None)
            else:
                taken[node.name] = node
    return [node for node in nodes if node.name in taken]


def batches(nodes: Sequence[Node], settings: Settings) -> Batches:
    """The canary first, then group by group; within one the sizes of max_parallel, the last of which goes on."""
    ordered = [name for names in _by_group(nodes, settings.groups) for name in names]
    canary = ordered[: settings.canary]
    found: Batches = [canary] if canary else []
    for names in _by_group(nodes, settings.groups):
        found += _cut([name for name in names if name not in canary], settings.max_parallel, len(nodes))
    return found


def back(names: Sequence[str], settings: Settings) -> Batches:
    """The way back has no canary: it leads to what was proven before."""
    return _cut(list(names), settings.rollback_parallelism or settings.max_parallel, len(names))


def _by_group(nodes: Sequence[Node], groups: Sequence[str]) -> Batches:
    """One list for each group in the order given, and one for the rest; no node twice."""
    left = list(nodes)
    found: Batches = []
    for group in groups:
        found.append([node.name for node in left if group in node.groups])
        left = [node for node in left if group not in node.groups]
    found.append([node.name for node in left])
    return [names for names in found if names]


def _cut(names: list[str], sizes: Sequence[Amount], total: int) -> Batches:
    found: Batches = []
    while names:
        size = count(sizes[min(len(found), len(sizes) - 1)], total)
        found.append(names[:size])
        names = names[size:]
    return found
