"""What a run comes to: the result with its exit code, the failures with cause and remedy, the document for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from npufleet import playbook_events as events
from npufleet.playbook_events import NodeRun
from npufleet.playbook_story import CANCELED, Story
from npufleet.result import Exit, Failure, Message, Result, spread
from npufleet.views import playbook as view


def conclude(story: Story) -> Result:
    nodes = story.nodes
    return Result(
        command=story.order.verb,
        data=document(story),
        messages=(Message("info", f"record: {record(story.folder)}"),),
        errors=failures(story),
        exit_code=exit_code(story),
        view=lambda: view.summary(story.order.verb, nodes, story.took_s),
        view_tells_errors=tells_errors(story),
    )


def document(story: Story) -> dict[str, Any]:
    return {
        "playbook": story.order.playbook,
        "check": story.order.check,
        "took_s": round(story.took_s, 1),
        "record": str(story.folder),
        "nodes": [node_document(node) for node in story.nodes],
    }


def tells_errors(story: Story) -> bool:
    """Whether a table of the nodes has every failure at its place."""
    return story.tracker.finished and any(node.state != events.DONE for node in story.nodes)


def record(folder: Path) -> str:
    """The whole story as Ansible printed it; from the current folder where that is shorter."""
    return nearby(folder / "artifacts" / "run" / "stdout")


def nearby(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def node_document(node: NodeRun) -> dict[str, Any]:
    return {
        "node": node.name,
        "state": node.state,
        "done": node.done,
        "changed": node.changed,
        "stage": node.stage,
        "task": node.task,
        "message": node.message,
        "findings": node.findings,
    }


def failures(story: Story) -> tuple[Failure, ...]:
    nodes, end = story.nodes, story.end
    told = [_node_failure(node) for node in nodes if node.state in {events.FAILED, events.UNREACHABLE}]
    if end.status == CANCELED:
        told.append(Failure("interrupted", "Stopped by the operator.", "Run it again: what is done stays done."))
    elif end.code != 0 and not told:
        said = " ".join(story.tracker.complaints) or "Ansible gave no reason"
        told.append(Failure("playbook-failed", said, "See the record of the run."))
    elif not nodes:
        told.append(Failure("no-nodes", "The playbook found no node to run on.", "Check --limit and the inventory."))
    return tuple(told)


def _node_failure(node: NodeRun) -> Failure:
    if node.state == events.UNREACHABLE:
        message = f"{node.name} cannot be reached by SSH: {node.message}"
        return Failure(
            "ssh-unreachable", message, f"Try it by hand: ssh to {node.name}, with the inventory's key.", node.name
        )
    return Failure("task-failed", f"{node.name}: {where_and_why(node)}", "See the record of the run.", node.name)


def where_and_why(node: NodeRun) -> str:
    """The task at which a node failed and what it said; what was said alone where no task is to blame."""
    if node.state != events.FAILED:
        return node.message
    return ": ".join(part for part in (node.stage, node.task, node.message) if part)


def exit_code(story: Story) -> Exit:
    nodes, end = story.nodes, story.end
    failed = sum(node.state == events.FAILED for node in nodes)
    unreachable = sum(node.state == events.UNREACHABLE for node in nodes)
    if end.status == CANCELED or not nodes or (end.code and not failed + unreachable):
        return Exit.FAILED
    return Exit.FAILED if failed + unreachable == len(nodes) and failed else spread(failed, unreachable, len(nodes))
