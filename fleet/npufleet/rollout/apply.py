"""Brings a revision to a batch: one runner call a playbook, and the count of who failed is ours, from its events.

Ansible's own limits are not relied on: an unreachable node stops nothing there, and a later batch runs all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npufleet import playbook, playbook_events, playbook_result
from npufleet.playbook_story import CANCELED, Order, Story
from npufleet.project import Project
from npufleet.result import Frame, Result
from npufleet.rollout.revision import Revision


@dataclass(frozen=True)
class Outcome:
    """How a playbook ended on one node; state is one of playbook_events' words."""

    state: str
    reason: str = ""

    @property
    def fine(self) -> bool:
        return self.state == playbook_events.DONE

    @property
    def unreachable(self) -> bool:
        return self.state == playbook_events.UNREACHABLE


Outcomes = dict[str, Outcome]
Apply = Callable[[str, Sequence[str], Revision], Generator[Frame, None, Outcomes]]


class InterruptedRunError(Exception):
    """The operator stopped the playbook; whoever was at work stays so in the record."""


def through_runner(inventory: Path, project: Project) -> Apply:
    """The real thing: ansible-runner on the checkout's playbooks, limited to the batch."""

    def apply(name: str, nodes: Sequence[str], revision: Revision) -> Generator[Frame, None, Outcomes]:
        stories: list[Story] = []

        def conclude(story: Story) -> Result:
            stories.append(story)
            return playbook_result.conclude(story)

        extra: dict[str, Any] = {**revision.variables, "rollout_batch": list(nodes)}
        order = Order(
            "rollout", name, inventory, limit=",".join(nodes), tags=revision.tags or None, extra=extra,
            conclude=conclude,
        )  # fmt: skip
        yield from playbook.start(order, project).steps
        return outcomes(stories[0], nodes)

    return apply


def outcomes(story: Story, nodes: Sequence[str]) -> Outcomes:
    """Each node's end; one that the run never told of has not been updated."""
    if story.end.status == CANCELED:
        raise InterruptedRunError
    found = {node.name: node for node in story.nodes}
    said = " ".join(story.tracker.complaints)
    ends: Outcomes = {}
    for name in nodes:
        node = found.get(name)
        if node is None:
            ends[name] = Outcome(playbook_events.FAILED, said or "the playbook did not come to this node")
        elif node.state == playbook_events.DONE:
            ends[name] = Outcome(node.state)
        else:
            why = playbook_result.where_and_why(node) or f"the playbook ended early ({story.end.status})"
            ends[name] = Outcome(node.state, why)
    return ends
