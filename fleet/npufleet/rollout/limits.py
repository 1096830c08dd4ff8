"""When a rollout stops by itself: too many failed, too many at once, too many nodes out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from npufleet.rollout import states
from npufleet.rollout.amounts import count
from npufleet.rollout.record import Record
from npufleet.rollout.rows import NodeRow
from npufleet.rollout.settings import Breaker, Settings


def bad(nodes: Sequence[NodeRow]) -> list[NodeRow]:
    """Failed and unreachable nodes that no operator has accepted yet."""
    return [node for node in nodes if node.state in states.BAD and not node.accepted]


def exceeded(nodes: Sequence[NodeRow], allowed_percent: float) -> bool:
    """Whether too many have failed, in their batch or altogether: ten batches with one failure each are ten."""
    failed = bad(nodes)
    sizes, hits = Counter(node.batch for node in nodes), Counter(node.batch for node in failed)
    shares = [hits[batch] / sizes[batch] for batch in hits] + ([len(failed) / len(nodes)] if nodes else [])
    return any(share * 100 > allowed_percent for share in shares)


def breaker(record: Record, nodes: Sequence[NodeRow], limit: Breaker, wall: Callable[[], float] = time.time) -> str:
    """Why the circuit breaker is open, or nothing. One node alone is never a wave of failures."""
    recent = record.failed_since(wall() - limit.window_s) & {node.node for node in nodes}
    if len(recent) < 2 or len(recent) * 100 < limit.percent * len(nodes):
        return ""
    return (
        f"the circuit breaker is open: {len(recent)} of {len(nodes)} nodes failed within {limit.window_s:g} s"
        f" ({', '.join(sorted(recent)[:5])}{' …' if len(recent) > 5 else ''})"
    )


def room(nodes: Sequence[NodeRow], wanted: Sequence[NodeRow], out: set[str], settings: Settings) -> list[NodeRow]:
    """Those of the wanted nodes that may be taken out now; a node that is out anyway costs nothing more.

    Without a limit of its own a quarter of the nodes is the limit, or the largest batch where that is more.
    """
    batch = max(Counter(node.batch for node in nodes).values())
    own = settings.max_unavailable
    limit = max(batch, count("25%", len(nodes))) if own is None else count(own, len(nodes))
    free = limit - len(out)
    taken: list[NodeRow] = []
    for node in wanted:
        if node.node in out:
            taken.append(node)
        elif free > 0:
            taken.append(node)
            free -= 1
    return taken
