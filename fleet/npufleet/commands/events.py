"""npufleet events: what happened on all nodes, in the order of time, and what happens now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from npu_agent import api_events
from npufleet import feed
from npufleet.commands.options import InventoryOption, LimitOption, verb
from npufleet.errors import UsageError
from npufleet.feed import Filter, Follower, Kept, Told
from npufleet.fleet import Fleet, open_fleet
from npufleet.result import Exit, Feed, Line, Outcome, Result, spread
from npufleet.sweep import Answer
from npufleet.views import events as view
from npufleet.views import times

_AGO = re.compile(r"(\d+)\s*(s|m|min|h|d)")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def events(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until you interrupt.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Only since then: 30m, 2h, 1d, or 2026-01-31T12:00.", show_default=False)
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("-k", "--kind", help=f"Only these: {', '.join(api_events.KINDS)}.")
    ] = None,
    last: Annotated[
        int, typer.Option("-n", "--last", min=0, max=10_000, help="So many, unless --since is given.")
    ] = 50,
    limit: LimitOption = None,
    inventory: InventoryOption = None,
) -> Outcome:
    """Show what happened on all nodes, and what happens now. With --json every event is a line of its own.

    Times are those of each node's own clock.

    Exit codes: 0 all nodes answered, 3 some did not, 4 none could be reached.
    """
    wanted = Filter(_kinds(kind or []), _moment(since))
    fleet = open_fleet(inventory, limit=limit)
    answers = fleet.ask(lambda client: feed.kept(client, wanted, last))
    found = _told(answers, None if wanted.since else last)
    width = max(len(name) for name in fleet.inventory.names)
    if follow:
        return Feed("events", (_line(told, width) for told in _and_on(fleet, answers, wanted, found)))
    failed = [answer for answer in answers if answer.problem is not None]
    unreachable = sum(answer.problem.exit_code == Exit.UNREACHABLE for answer in failed if answer.problem)
    end = Result(
        "events",
        errors=tuple(answer.problem.failure for answer in failed if answer.problem),
        exit_code=spread(len(failed) - unreachable, unreachable, len(answers)),
    )
    return Feed("events", (_line(told, width) for told in found), end)


def _told(answers: Sequence[Answer[Kept]], last: int | None) -> list[Told]:
    pairs = [(answer.node.name, event) for answer in answers if answer.value for event in answer.value.events]
    ordered = feed.in_order(pairs)
    return [
        Told(name, event)
        for name, event in (ordered if last is None else ordered[len(ordered) - last :] if last else [])
    ]


def _and_on(fleet: Fleet, answers: Sequence[Answer[Kept]], wanted: Filter, found: Sequence[Told]) -> Iterator[Told]:
    yield from found
    starts = {answer.node.name: answer.value.next for answer in answers if answer.value is not None}
    yield from Follower([fleet.client(name) for name in fleet.inventory.names], starts, wanted).follow()


def _line(told: Told, width: int) -> Line:
    data = {
        "node": told.node,
        "event": told.event.to_dict() if told.event else None,
        "failure": told.failure.to_dict() if told.failure else None,
        "missed": told.missed,
    }
    return Line(lambda: view.line(told, width), data)


def _kinds(asked: Sequence[str]) -> frozenset[str]:
    kinds = frozenset(word for text in asked for word in text.split(",") if word)
    if unknown := kinds - set(api_events.KINDS):
        raise UsageError(
            f"There is no kind of event called {', '.join(sorted(unknown))}.",
            remedy=f"Kinds are: {', '.join(api_events.KINDS)}.",
        )
    return kinds


def _moment(text: str | None) -> datetime | None:
    """Some time ago, or a moment; without a zone it is this machine's."""
    if text is None:
        return None
    if ago := _AGO.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None:
        raise UsageError(f"--since {text} is no time.", remedy="Write 30m, 2h, 1d, or 2026-01-31T12:00.")
    return found if times.parse(text) == found else found.astimezone()


app = verb(events)
