"""One event, one line: when, where, what; a node's silence is a line like the others."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.text import Text

from npu_agent import api, api_events
from npufleet.feed import Told
from npufleet.views import marks, times

_STYLES = {
    api_events.CORDON: "yellow",
    api_events.WORKLOAD: "blue",
    api_events.LEASE: "dim",
    api_events.LOST: "magenta",
}


def line(told: Told, width: int = 0) -> Text:
    """`width` is that of the longest node name, so that what comes after stands in one column."""
    where = marks.clean(told.node).ljust(width)
    event = told.event
    if event is None:
        return Text.assemble((_when(datetime.now(UTC)), "dim"), " ", (where, "bold"), " ", _of_the_node(told))
    at = times.parse(event.at)
    when = _when(at) if at else marks.clean(event.at)
    return Text.assemble(
        (when, "dim"), " ", (where, "bold"), " ", (f"{marks.clean(event.kind):<8}", "dim"), " ",
        (marks.clean(event.message), _style(event)),
    )  # fmt: skip


def _when(at: datetime) -> str:
    return f"{at.astimezone():%m-%d %H:%M:%S}"


def _of_the_node(told: Told) -> Text:
    if told.failure is not None:
        return Text(marks.clean(told.failure.message), style="red")
    return Text("events are missing here", style="magenta") if told.missed else Text("answers again", style="green")


def _style(event: api_events.Event) -> str:
    if event.kind == api_events.READY:
        return "green" if event.data.get("ready") else "red"
    if event.kind in {api_events.HEALTH, api_events.PROBE}:
        state = event.data.get("to")
        return marks.of(str(state)).style if state in api.HEALTH_STATES else ""
    return _STYLES.get(event.kind, "")
