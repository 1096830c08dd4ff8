"""A job over several nodes: how far it is, where its ranks are, and the last words of what failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from npufleet.survey import spans
from npufleet.views import marks
from npufleet.views.rows import AsciiDependent

if TYPE_CHECKING:
    from npufleet.job.start import Started


def step(name: str, said: str) -> RenderableType:
    return Text.assemble("  ", (marks.clean(name), "bold"), " ", marks.clean(said))


def started(job: Started, *, ended: bool) -> RenderableType:
    return AsciiDependent(lambda plain: Group(_headline(job, ended, plain), *_ranks(job), *_hints(job, ended)))


def _headline(job: Started, ended: bool, plain: bool) -> Text:
    nodes = marks.counted(len(job.nodes), "node")
    did = "ended well on" if ended else "started on" if job.created else "is there already, on"
    return Text.assemble(marks.OK.text(ascii_only=plain), " ", (marks.clean(job.name), "bold"), f" {did} {nodes}")


def _ranks(job: Started) -> list[Text]:
    return [
        Text(f"  rank {rank}  {marks.clean(node)}, NPU {spans(job.workloads[node].npus)}")
        for rank, node in enumerate(job.nodes)
    ]


def _hints(job: Started, ended: bool) -> list[Text]:
    return [] if ended else [Text(f"  npufleet logs -f {job.name}", style="dim")]


def failed(job: Started, last_words: Mapping[str, str], on_failure: str) -> RenderableType:
    parts: list[RenderableType] = [Text(f"  on_failure: {on_failure}", style="dim")]
    for node, words in last_words.items():
        parts.append(Text(f"  the last words of {marks.clean(job.name)} on {marks.clean(node)}:", style="bold"))
        parts += [Text(f"    {marks.clean(line)}") for line in words.splitlines()]
    return Group(*parts)
