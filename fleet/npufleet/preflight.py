"""What preflight found on the nodes, as one report: per node, over the fleet, and as a file for a support ticket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from npufleet import playbook_events as events
from npufleet import playbook_result, ticket
from npufleet.playbook_events import NodeRun
from npufleet.playbook_story import Story
from npufleet.result import Message, Result
from npufleet.views import preflight as view

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class NodeReport:
    """`verdict` is the worst severity found, `fine`, or the state in which a node that was not judged ended."""

    name: str
    verdict: str
    findings: tuple[Mapping[str, Any], ...]
    summary: Mapping[str, Any]
    message: str = ""

    @property
    def amiss(self) -> list[Mapping[str, Any]]:
        """Failed checks, the worst first."""
        failed = [finding for finding in self.findings if finding.get("state") == "fail"]
        return sorted(failed, key=lambda finding: SEVERITIES.index(str(finding.get("severity"))))

    def counted(self, severity: str) -> int:
        return sum(finding.get("severity") == severity for finding in self.amiss)


def judge(node: NodeRun) -> NodeReport:
    if not node.findings:
        state = events.FAILED if node.state == events.DONE else node.state
        return NodeReport(node.name, state, (), {}, playbook_result.where_and_why(node) or "it was not judged")
    known = tuple(finding for finding in node.findings if finding.get("severity") in SEVERITIES)
    report = NodeReport(node.name, "fine", known, node.summary)
    worst = next((severity for severity in ("error", "warning") if report.counted(severity)), "fine")
    return replace(report, verdict=worst)


@dataclass(frozen=True)
class Report:
    """Makes the result of a preflight run; `to` is the ticket's file, where one is wanted."""

    language: str
    everything: bool
    to: Path | None

    def conclude(self, story: Story) -> Result:
        nodes = [judge(node) for node in story.nodes]
        base = playbook_result.conclude(story)
        messages = [Message("info", f"record: {playbook_result.record(story.folder)}")]
        if self.to is not None and nodes:
            ticket.write(self.to, nodes, self.language)
            messages.append(Message("info", f"ticket: {playbook_result.nearby(self.to)}"))
        return replace(
            base,
            data=base.data | {"language": self.language, "nodes": [document(node) for node in nodes]},
            messages=tuple(messages),
            view=lambda: view.report(nodes, story.took_s, everything=self.everything),
            view_tells_errors=story.whole and bool(nodes),
        )


def document(node: NodeReport) -> dict[str, Any]:
    return {
        "node": node.name,
        "verdict": node.verdict,
        "message": node.message,
        "findings": list(node.findings),
        "summary": dict(node.summary),
    }
