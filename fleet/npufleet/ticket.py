"""The report of preflight as one file for a support ticket: Markdown for people, with the same as JSON at its end.

It is made of the findings and of chosen facts. No environment, command line, key or file content is among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npufleet.errors import UsageError

if TYPE_CHECKING:
    from npufleet.preflight import NodeReport

SCHEMA = "npufleet-ticket/v1"


def write(path: Path, nodes: Sequence[NodeReport], language: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(nodes, language, datetime.now(UTC)), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The ticket {path} cannot be written: {error.strerror}.",
            code="ticket-not-written",
            remedy="Give --ticket a file in a folder that you may write to.",
        ) from None


def text(nodes: Sequence[NodeReport], language: str, now: datetime) -> str:
    made = now.isoformat(timespec="seconds")
    lines = ["# npufleet preflight", "", f"{made}, {len(nodes)} nodes", ""]
    for node in nodes:
        lines += [f"## {node.name}: {node.verdict}", "", *_facts(node), *_findings(node, language), ""]
    facts = [
        {"node": node.name, "verdict": node.verdict, "message": node.message, "findings": list(node.findings),
         "summary": dict(node.summary)}
        for node in nodes
    ]  # fmt: skip
    data = json.dumps({"schema": SCHEMA, "made": made, "nodes": facts}, indent=1, ensure_ascii=False)
    return "\n".join([*lines, "## Data", "", "```json", data, "```", ""])


def _facts(node: NodeReport) -> Iterator[str]:
    if node.message:
        yield f"- {node.message}"
    summary = node.summary
    if not summary:
        return
    driver, engine = _part(summary, "driver"), _part(summary, "engine")
    yield f"- system: {_told(summary, 'system')}, {_told(summary, 'arch')}, kernel {_told(summary, 'kernel')}"
    yield f"- driver {_told(driver, 'driver_version')}, firmware {_told(driver, 'firmware_version')}"
    yield f"- Docker {_told(engine, 'version')}, cgroup {_told(summary, 'cgroup')}, Python {_told(summary, 'python')}"
    counts = _part(summary, "counts")
    yield "- NPUs: " + ", ".join(f"{source} {_told(counts, source)}" for source in counts)


def _findings(node: NodeReport, language: str) -> Iterator[str]:
    """In the language that was asked for, and below it in the others: who helps may not read it."""
    for finding in node.amiss:
        yield ""
        yield f"### [{finding.get('severity')}] {finding.get('id')}"
        yield ""
        yield f"{finding.get('text')} {finding.get('tip')}".strip()
        for other, said in _part(finding, "languages").items():
            if other != language and isinstance(said, Mapping):
                yield ""
                yield f"> {said.get('text')} {said.get('tip')}".strip()


def _part(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = document.get(key)
    return part if isinstance(part, Mapping) else {}


def _told(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return "unknown" if value in {None, ""} else str(value)
