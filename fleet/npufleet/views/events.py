"""One event, one line: when, where, what; a node's silence is a line like the others."""

from __future__ import annotations

from rich.text import Text

from npu_agent import api, api_events
from npufleet.feed import Told
from npufleet.views import marks, times

_STYLES = {api_events.CORDON: "yellow", api_events.WORKLOAD: "blue", api_events.LEASE: "dim", api_events.LOST: "magenta"}


def line(told: Told, width: int = 0) -> Text:
    """`width` is that of the longest node name, so that what comes after stands in one column."""
    where = marks.clean(told.node).ljust(width)
    if told.failure is not None:
        return Text.assemble(("--:--:--", "dim"), " ", (where, "bold"), " ", (marks.clean(told.failure.message), "red"))
    if told.missed:
        return Text.assemble(("--:--:--", "dim"), " ", (where, "bold"), (" events are missing here", "magenta"))
    if told.event is None:
        return Text.assemble(("--:--:--", "dim"), " ", (where, "bold"), (" answers again", "green"))
    event = told.event
    at = times.parse(event.at)
    when = f"{at.astimezone():%m-%d %H:%M:%S}" if at else marks.clean(event.at)
    return Text.assemble(
        (when, "dim"), " ", (where, "bold"), " ", (f"{marks.clean(event.kind):<8}", "dim"), " ",
        (marks.clean(event.message), _style(event)),
    )  # fmt: skip


def _style(event: api_events.Event) -> str:
    if event.kind == api_events.READY:
        return "green" if event.data.get("ready") else "red"
    if event.kind in {api_events.HEALTH, api_events.PROBE}:
        state = event.data.get("to")
        return marks.of(str(state)).style if state in api.HEALTH_STATES else ""
    return _STYLES.get(event.kind, "")
