"""Folds a large fleet: what is fine is counted by group, so that what is not fits the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from npufleet import survey
from npufleet.inventory import GROUP
from npufleet.survey import NodeStatus

# Up to so many nodes are listed one by one.
FOLD_FROM = 25
# Of those that are not fine, so many of the worst are told in full.
WORST_SHOWN = 25


@dataclass(frozen=True)
class Group:
    """Nodes of one group that are ready and have nothing to say; `of` is how many the group has in all."""

    name: str
    nodes: tuple[NodeStatus, ...]
    of: int


@dataclass(frozen=True)
class Folded:
    worst: tuple[NodeStatus, ...]
    left_out: int
    groups: tuple[Group, ...]


def fold(statuses: Sequence[NodeStatus], *, everything: bool = False) -> Folded:
    """Keep the order, which is worst first; a small fleet is shown as it is."""
    if everything or len(statuses) <= FOLD_FROM:
        return Folded(tuple(statuses), 0, ())
    fine = [status for status in statuses if is_fine(status)]
    worst = [status for status in statuses if not is_fine(status)]
    return Folded(tuple(worst[:WORST_SHOWN]), len(worst[WORST_SHOWN:]), tuple(_groups(statuses, fine)))


def is_fine(status: NodeStatus) -> bool:
    return status.state == survey.READY and not status.reasons


def _groups(statuses: Sequence[NodeStatus], fine: Sequence[NodeStatus]) -> list[Group]:
    sizes = Counter(group for status in statuses for group in status.node.groups)
    of = Counter(_home(status, sizes) for status in statuses)
    found: dict[str, list[NodeStatus]] = {}
    for status in fine:
        found.setdefault(_home(status, sizes), []).append(status)
    return [
        Group(name, tuple(nodes), of[name]) for name, nodes in sorted(found.items(), key=lambda g: survey.natural(g[0]))
    ]


def _home(status: NodeStatus, sizes: Counter[str]) -> str:
    """The smallest of its groups that is more than this one node: a rack rather than a region."""
    own = [group for group in status.node.groups if group != GROUP and sizes[group] > 1]
    return min(own, key=lambda group: (sizes[group], group), default=GROUP)
