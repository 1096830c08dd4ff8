"""One node in full: its facts, each part's state, and its NPUs with who holds them."""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from npu_agent import api
from npufleet import survey
from npufleet.survey import NodeStatus
from npufleet.views import marks, times
from npufleet.views.rows import AsciiDependent, Column, Row, Rows

PARTS = (Column("PART", least=14), Column("STATE"), Column("SINCE", keep=5), Column("REASON", least=16, keep=8))
NPUS = (
    Column("NPU"),
    Column("STATE"),
    Column("TEMP", right=True, keep=6),
    Column("POWER", right=True, keep=5),
    Column("AICORE", right=True, keep=6),
    Column("HBM", right=True, keep=7),
    Column("HELD BY", least=12, keep=8),
)


def detail(status: NodeStatus, now: datetime | None = None) -> RenderableType:
    assert status.facts is not None, "the command has asked the node"
    facts = status.facts
    return Group(
        AsciiDependent(lambda plain: _headline(status, plain)),
        _facts_line(facts.node),
        Text(),
        Rows(PARTS, lambda plain: [_part(part, plain, now) for part in survey.fold(survey.worst_first(facts.health))]),
        Text(),
        Rows(NPUS, lambda plain: [_npu(npu, plain) for npu in status.npus]),
        _age_line(facts.npus),
    )


def _headline(status: NodeStatus, plain: bool) -> Text:
    mark = marks.of(status.state)
    head = mark.text(ascii_only=plain)
    head.append(f" {marks.clean(status.node.name)}", style="bold")
    return head.append(f" is {status.state.replace('-', ' ')}", style=mark.style)


def _facts_line(node: api.Node) -> Text:
    facts = [
        node.chip and f"{node.npu_count or '?'} x {node.chip}",
        node.driver_version and f"driver {node.driver_version}",
        f"agent {node.agent_version}",
        "cordoned" if node.cordoned else "",
    ]
    return Text("  " + ", ".join(marks.clean(fact) for fact in facts if fact), style="dim")


def _part(part: api.Component, plain: bool, now: datetime | None) -> Row:
    mark = marks.of(part.state)
    told = marks.advice(part.action) if part.state != api.HEALTHY else ""
    fine = part.state == api.HEALTHY
    return Row(
        cells=(
            Text.assemble(mark.text(ascii_only=plain), " ", marks.clean(part.name)),
            Text(marks.clean(part.state), style=mark.style),
            Text(times.since(part.since, now)),
            Text(marks.clean(part.reason) if fine else "", style="dim"),
        ),
        notes=[]
        if fine
        else [Text(marks.clean(part.reason)), *([marks.arrow(told, ascii_only=plain)] if told else [])],
    )


def _npu(npu: api.Npu, plain: bool) -> Row:
    mark = marks.of(npu.state)
    return Row(
        (
            Text.assemble(mark.text(ascii_only=plain), f" {npu.npu}"),
            Text(marks.clean(npu.state), style=mark.style),
            _number(npu.temperature_c, "°C" if not plain else "C"),
            _number(npu.power_w, "W"),
            _number(npu.aicore_percent, "%"),
            _used(npu),
            Text(marks.clean(npu.holder.sentence()))
            if npu.holder
            else Text("free" if _is_free(npu) else "", style="dim"),
        )
    )


def _is_free(npu: api.Npu) -> bool:
    return survey.npu_use(npu) == survey.FREE


def _number(value: float | None, unit: str) -> Text:
    """What is not known is a dash, never a zero."""
    return Text("-", style="dim") if value is None else Text(f"{value:.0f} {unit}")


def _used(npu: api.Npu) -> Text:
    used, total = (npu.hbm_used_mb, npu.hbm_total_mb) if npu.hbm_total_mb else (npu.memory_used_mb, npu.memory_total_mb)
    if used is None or not total:
        return Text("-", style="dim")
    return Text(f"{used / 1024:.1f}/{total / 1024:.0f} GiB")


def _age_line(report: api.NpuReport) -> Text:
    if report.age_s is None:
        return Text("  The NPUs have not been looked at yet.", style="magenta")
    return Text(f"  looked at {times.span(report.age_s)} ago", style="dim")
