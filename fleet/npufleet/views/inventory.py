"""The inventory as a person reads it: what is amiss in it, its nodes, and one of them in full."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from npufleet.inventory import GROUP, Node
from npufleet.inventory_check import ERROR, Finding
from npufleet.views import marks
from npufleet.views.rows import AsciiDependent, Column, Row, Rows

NODES_SHOWN = 5
_SECRET = re.compile(r"pass(word|wd|phrase)?\b|_pass|secret|token|credential|private_key$", re.IGNORECASE)

COLUMNS = (Column("NODE"), Column("AGENT"), Column("SSH", keep=5), Column("GROUPS", keep=7, least=12))


def findings(found: Sequence[Finding], nodes: int, source: str) -> RenderableType:
    def build(plain: bool) -> RenderableType:
        lines = [line for finding in found for line in _finding(finding, plain)]
        if not found:
            lines = [Text.assemble(marks.OK.text(ascii_only=plain), f" nothing amiss in {marks.clean(source)}")]
        errors = sum(finding.severity == ERROR for finding in found)
        counts = f"{marks.counted(errors, 'error')}, {marks.counted(len(found) - errors, 'warning')}"
        return Group(*lines, Text(f"  {marks.counted(nodes, 'node')}: {counts}", style="dim"))

    return AsciiDependent(build)


def _finding(finding: Finding, plain: bool) -> list[Text]:
    mark = marks.BAD if finding.severity == ERROR else marks.WARN
    lines = [Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(finding.text), mark.style))]
    if finding.nodes:
        more = len(finding.nodes) - NODES_SHOWN
        named = ", ".join(marks.clean(node) for node in finding.nodes[:NODES_SHOWN])
        lines.append(Text(f"  {named}{f' and {more} more' if more > 0 else ''}", style="dim"))
    return [*lines, Text("  ").append_text(marks.arrow(marks.clean(finding.remedy), ascii_only=plain))]


def listing(nodes: Sequence[Node]) -> RenderableType:
    return Group(
        Rows(COLUMNS, lambda _plain: [_row(node) for node in nodes]),
        Text(),
        Text(f"  {marks.counted(len(nodes), 'node')}"),
    )


def _row(node: Node) -> Row:
    return Row(
        (
            Text(marks.clean(node.name), style="bold"),
            Text(f"{marks.clean(node.address)}:{node.port}"),
            Text(_ssh(node)),
            Text(", ".join(group for group in node.groups if group != GROUP), style="dim"),
        )
    )


def _ssh(node: Node) -> str:
    user = f"{node.ssh.user}@" if node.ssh.user else ""
    port = f":{node.ssh.port}" if node.ssh.port else ""
    return marks.clean(f"{user}{node.ssh.host}{port}")


def detail(node: Node, told: Mapping[str, Any]) -> RenderableType:
    facts = {"agent": node.url, "ssh": _ssh(node), "groups": ", ".join(node.groups)}
    lines = [Text(marks.clean(node.name), style="bold")]
    lines += [Text.assemble((f"  {name:<8}", "dim"), marks.clean(value)) for name, value in facts.items()]
    lines.append(Text())
    lines += [
        Text.assemble((f"  {marks.clean(name)}: ", "dim"), marks.clean(as_json(value).strip()))
        for name, value in told.items()
    ]
    return Group(*lines)


def shown(name: str, value: Any) -> Any:
    """Leave out what looks like a secret, also deep inside."""
    if _SECRET.search(name) and value not in ("", None):
        return "(not shown)"
    if isinstance(value, Mapping):
        return {str(key): shown(str(key), item) for key, item in value.items()}
    return [shown("", item) for item in value] if isinstance(value, list) else value


def as_json(value: Any) -> str:
    return (
        json.dumps(value, indent=2 if isinstance(value, list) and value and isinstance(value[0], dict) else None) + "\n"
    )
