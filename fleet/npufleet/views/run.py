"""What was started, where, with which NPUs, and what the agent remarked."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from npu_agent import api
from npufleet.survey import spans
from npufleet.views import marks
from npufleet.views.ps import image_of
from npufleet.views.rows import AsciiDependent


def started(node: str, workload: api.Workload, *, created: bool) -> RenderableType:
    return AsciiDependent(lambda plain: Group(_headline(node, workload, created, plain), *_details(node, workload)))


def _headline(node: str, workload: api.Workload, created: bool, plain: bool) -> Text:
    mark = marks.of(workload.state)
    verb = "started on" if created else f"is on {marks.clean(node)} already, {workload.state}"
    head = Text.assemble(mark.text(ascii_only=plain), " ", (marks.clean(workload.name), "bold"), f" {verb}")
    if created:
        head.append(f" {marks.clean(node)}")
    if workload.npus:
        head.append(f", NPU {spans(workload.npus)}")
    return head


def _details(node: str, workload: api.Workload) -> list[Text]:
    facts = {
        "image": marks.clean(image_of(workload)),
        "container": marks.clean((workload.container_id or "")[:12]),
        "reason": marks.clean(workload.reason),
    }
    lines = [Text.assemble((f"  {label:<10}", "dim"), value) for label, value in facts.items() if value]
    lines += [Text.assemble(("  note      ", "dim"), (marks.clean(note), "yellow")) for note in workload.notes]
    lines.append(Text(f"  npufleet logs -f {node}/{workload.name}", style="dim"))
    return lines


def stopped(node: str, workload: api.Workload) -> RenderableType:
    return AsciiDependent(lambda plain: _end(node, workload, plain))


def _end(node: str, workload: api.Workload, plain: bool) -> Text:
    """An NPU is called free only when the agent says that the workload is gone."""
    head = marks.of(workload.state).text(ascii_only=plain)
    head.append(f" {marks.clean(workload.name)}", style="bold")
    head.append(f" on {marks.clean(node)} is {marks.clean(workload.state)}")
    if workload.npus and workload.state == api.REMOVED:
        head.append(f", NPU {spans(workload.npus)} free again")
    return head
