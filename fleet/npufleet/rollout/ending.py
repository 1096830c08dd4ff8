"""The ways out of a rollout that does not go to its end: back to what was stable, or off where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from npufleet.rollout import plan, states
from npufleet.rollout.record import Record
from npufleet.rollout.rows import NodeRow
from npufleet.rollout.settings import Settings
from npufleet.rollout.site import Site
from npufleet.rollout.wave import lift


def turn_back(
    record: Record, rollout: str, nodes: Sequence[NodeRow], settings: Settings, reason: str, ends_as: str
) -> None:
    """Failed nodes first, by themselves: they show whether the way back works before a healthy one is touched.

    One that failed before it was changed has nothing to take back: it stays as it is, and in nobody's way.
    """
    changed = [node for node in nodes if node.changed]
    unproven = [node.node for node in changed if node.state != states.HEALTHY]
    proven = [node.node for node in changed if node.state == states.HEALTHY]
    untouched = [node.node for node in nodes if not node.changed and node.state == states.PENDING]
    batches = plan.back(unproven, settings) + plan.back(proven, settings)
    failed = [node.node for node in nodes if not node.changed and node.state in states.BAD]
    record.turn_back(rollout, batches, untouched, failed, reason=reason, ends_as=ends_as)


def free_untouched(record: Record, site: Site, rollout: str) -> list[str]:
    """Give those nodes back that were cordoned and not changed; tell which could not be reached for it."""
    nodes = record.nodes(rollout)
    held = [node.node for node in nodes if node.cordon and not node.changed]
    problems = lift(record, site, rollout, held) if held else {}
    draining = [node.node for node in nodes if node.state == states.DRAINING and not node.changed]
    record.move(rollout, draining, states.PENDING, "was not changed")
    return list(problems)


def abort(record: Record, site: Site, rollout: str) -> None:
    """Leave everything as it is: who was changed and not proven stays cordoned, so that no job meets it."""
    silent = free_untouched(record, site, rollout)
    nodes = record.nodes(rollout)
    unproven = [node.node for node in nodes if node.state in {states.DRAINING, states.UPDATING, states.VERIFYING}]
    record.move(rollout, unproven, states.FAILED, "aborted before it was proven healthy")
    cordoned = [node for node in record.nodes(rollout) if node.cordon and node.node not in silent]
    kept = f"; still cordoned: {names(cordoned)}" if cordoned else ""
    lost = f"; its cordon could not be lifted on {', '.join(silent)}" if silent else ""
    record.turn(rollout, states.CANCELLED, f"aborted by the operator{kept}{lost}", wish="", asks="")


def names(nodes: Sequence[NodeRow]) -> str:
    found = [node.node for node in nodes]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return ", ".join(found[:5]) + more if found else "no node"
