"""Cordons and drains, a line a node, with what is waited for below."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from npu_agent import api
from npufleet.views import marks
from npufleet.views.rows import AsciiDependent


def cordons(done: Mapping[str, api.Cordons], word: str) -> RenderableType:
    return AsciiDependent(lambda plain: Group(*(part for n, c in done.items() for part in _cordons(n, c, word, plain))))


def _cordons(node: str, found: api.Cordons, word: str, plain: bool) -> list[Text]:
    mark = (marks.WARN if found.cordoned else marks.OK).text(ascii_only=plain)
    stands = "takes no new work" if found.cordoned else "takes work"
    lines = [Text.assemble(mark, " ", (marks.clean(node), "bold"), f" {word}: the node {stands}")]
    return lines + [Text(f"    {_one(cordon)}", style="dim") for cordon in found.cordons]


def _one(cordon: api.Cordon) -> str:
    what = "node" if cordon.npu is None else f"NPU {cordon.npu}"
    why = f": {marks.clean(cordon.reason)}" if cordon.reason else ""
    return f"{what} cordoned by {marks.clean(cordon.owner)}{why}"


def drains(done: Mapping[str, api.Drain]) -> RenderableType:
    return AsciiDependent(lambda plain: Group(*(part for n, d in done.items() for part in _drain(n, d, plain))))


def _drain(node: str, drain: api.Drain, plain: bool) -> list[Text]:
    mark = (marks.WARN if drain.waiting_for else marks.OK).text(ascii_only=plain)
    left = "" if drain.remaining_s is None else f", {drain.remaining_s:.0f} s left"
    head = Text.assemble(mark, " ", (marks.clean(node), "bold"), f" {drain.state}{left}")
    return [head, *(Text(f"    waits for {marks.clean(what)}", style="dim") for what in drain.waiting_for)]


def waiting(done: Mapping[str, api.Drain]) -> str:
    return "; ".join(f"{node} {drain.state}: {', '.join(drain.waiting_for)}" for node, drain in done.items())
