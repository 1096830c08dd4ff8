"""What a comparison of the nodes with the inventory comes to: in step or drifted, and in what."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from npufleet import playbook_events as events
from npufleet import playbook_result
from npufleet.playbook_drift import Difference
from npufleet.playbook_events import NodeRun
from npufleet.playbook_story import Story
from npufleet.result import Exit, Failure, Message, Result
from npufleet.views import drift as view

IN_STEP = "in step"
DRIFTED = "drifted"


@dataclass(frozen=True)
class NodeDrift:
    """`verdict` is in step or drifted, else the state in which the comparison ended on this node."""

    name: str
    verdict: str
    differences: tuple[Difference, ...] = ()
    message: str = ""

    @property
    def roles(self) -> list[str]:
        return list(dict.fromkeys(difference.role for difference in self.differences))


def judge(node: NodeRun, *, whole: bool) -> NodeDrift:
    told = [*node.differences, *(_proof(node, failed) for failed in node.amiss)]
    # The roles in the order in which they run, each with its proof below what differs.
    order = list(dict.fromkeys(difference.role for difference in told))
    found = tuple(sorted(dict.fromkeys(told), key=lambda difference: order.index(difference.role)))
    if node.state != events.DONE or not whole:
        return NodeDrift(node.name, node.state, found, playbook_result.where_and_why(node))
    return NodeDrift(node.name, DRIFTED if found else IN_STEP, found)


def _proof(node: NodeRun, failed: dict[str, Any]) -> Difference:
    """What a role's proof said, without the node's name and the command that the summary gives for all roles."""
    says = str(failed.get("says") or "").removeprefix(f"{node.name}: ")
    return Difference(str(failed.get("role") or "?"), "proof", re.sub(r"\s*Run `[^`]*`\.\s*$", "", says))


def conclude(story: Story) -> Result:
    nodes = [judge(node, whole=story.whole) for node in story.nodes]
    base = playbook_result.conclude(story)
    code = _exit_code(base, nodes) if story.whole and nodes else base.exit_code
    remedy = command(story, nodes)
    errors = [*base.errors, *(_failure(node, remedy) for node in nodes if node.verdict == DRIFTED)]
    return replace(
        base,
        data=base.data | {"nodes": [_document(node) for node in nodes], "remedy": remedy},
        messages=(Message("info", f"record: {playbook_result.record(story.folder)}"),),
        errors=tuple(errors),
        exit_code=code,
        view=lambda: view.report(nodes, remedy, story.took_s),
        view_tells_errors=story.whole and bool(errors) and bool(nodes),
    )


def _exit_code(base: Result, nodes: list[NodeDrift]) -> Exit:
    """3 for any drift: that every node drifted is no failure of the comparison."""
    if any(node.verdict == DRIFTED for node in nodes):
        return Exit.PARTLY
    return base.exit_code


def _document(node: NodeDrift) -> dict[str, Any]:
    return {
        "node": node.name,
        "verdict": node.verdict.replace(" ", "-"),
        "differences": [difference.to_dict() for difference in node.differences],
        "message": node.message,
    }


def _failure(node: NodeDrift, remedy: str) -> Failure:
    told = "; ".join(f"{d.role}: {d.what}" for d in node.differences)
    return Failure("drifted", f"{node.name} is not as the inventory says: {told}", remedy, node.name)


def command(story: Story, nodes: list[NodeDrift]) -> str:
    """The one command that mends what drifted; nothing where nothing did."""
    drifted = [node for node in nodes if node.verdict == DRIFTED]
    if not drifted:
        return ""
    roles = dict.fromkeys(role for node in drifted for role in node.roles)
    # A new certificate is read by the agent at its start.
    tags = [*roles, *(["agent"] if "certificates" in roles and "agent" not in roles else [])]
    where = "" if len(drifted) == len(nodes) and story.order.limit is None else _limit(story, nodes, drifted)
    return f"npufleet -i {playbook_result.nearby(story.order.inventory)} prepare{where} --tags {','.join(tags)}"


def _limit(story: Story, nodes: list[NodeDrift], drifted: list[NodeDrift]) -> str:
    if len(drifted) == len(nodes):
        return f" --limit '{story.order.limit}'"
    return f" --limit {','.join(node.name for node in drifted)}"
