from __future__ import annotations

import itertools
import json
import threading
import urllib.parse
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from npu_agent.api_events import Event, EventPage
from npufleet import feed
from npufleet.feed import Filter, Follower, Told
from npufleet.testing import MemoryAgent, Reply
from unit.fleet.samples import make_fleet


def event(seq: int, kind: str = "ready", minute: int | None = None) -> Event:
    at = (
        f"2026-01-02T{(seq if minute is None else minute) // 60:02d}:{(seq if minute is None else minute) % 60:02d}:00Z"
    )
    return Event(seq, at, kind, "node", f"event {seq}")


class Agent:
    """A node's events; `down` makes the next call fail as often as it says."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.down = 0

    def answer(self, request: Any) -> Reply:
        if self.down:
            self.down -= 1
            return Reply(error=requests.ConnectTimeout())
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request.url).query))
        after = int(query["after"])
        if query.get("follow"):
            found = [one for one in self.events if one.seq > after]
            lines = [f"id: {o.seq}\nevent: {o.kind}\ndata: {json.dumps(o.to_dict())}\n\n" for o in found]
            return Reply(body=("retry: 2000\n\n" + "".join(lines)).encode())
        oldest, newest = self.events[0].seq, self.events[-1].seq
        found = [one for one in self.events if one.seq > after][: int(query.get("limit", 1000))]
        return Reply(EventPage(found, oldest, newest, found[-1].seq if found else after).to_dict())


def client_of(agent: Agent) -> Any:
    return make_fleet({"n-1": MemoryAgent({"GET /v1/events": agent.answer})}).client("n-1")


def test_the_newest_come_and_where_to_go_on() -> None:
    found = feed.kept(client_of(Agent([event(n) for n in range(10, 2600)])), Filter(), 3)
    assert [one.seq for one in found.events] == [2597, 2598, 2599]
    assert found.next == 2599


def test_a_rare_kind_is_looked_for_in_all_that_is_kept() -> None:
    events = [event(n, "reboot" if n == 11 else "ready", minute=0) for n in range(10, 2600)]
    assert [one.seq for one in feed.kept(client_of(Agent(events)), Filter(frozenset({"reboot"})), 3).events] == [11]


def test_since_gives_all_after_a_moment_and_no_more_pages_than_needed() -> None:
    agent = Agent([event(n, minute=n // 10) for n in range(1, 5001)])
    found = feed.kept(client_of(agent), Filter(since=datetime(2026, 1, 2, 8, 10, tzinfo=UTC)), 1)
    assert [found.events[0].seq, found.events[-1].seq, len(found.events)] == [4900, 5000, 101]


def test_in_the_order_of_time_and_of_each_nodes_numbers() -> None:
    told = [("b", event(2, minute=5)), ("a", event(9, minute=5)), ("b", event(1, minute=5)), ("a", event(8, minute=1))]
    assert [(name, one.seq) for name, one in feed.in_order(told)] == [("a", 8), ("a", 9), ("b", 1), ("b", 2)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "SETTLE_S", 0.02)


def follow(agent: Agent, after: int, wanted: Filter, count: int) -> list[Told]:
    follower = Follower([client_of(agent)], {"n-1": after}, wanted)
    ticks = itertools.count()
    enough = threading.Event()
    follower._sleep = lambda _s: None if next(ticks) < 5 else (enough.wait(), None)[1]
    return list(itertools.islice(follower.follow(), count))


def test_a_silent_node_is_told_once_and_followed_from_where_it_was(quick: None) -> None:
    agent = Agent([event(1), event(2), event(3)])
    agent.down = 3
    told = follow(agent, 1, Filter(), 4)
    assert [(one.failure is not None, one.event.seq if one.event else None) for one in told] == [
        (False, 2), (False, 3), (True, None), (False, None),
    ]  # fmt: skip


def test_only_what_was_asked_for(quick: None) -> None:
    agent = Agent([event(1), event(2, "cordon"), event(3), event(4, "cordon")])
    assert [one.event.seq for one in follow(agent, 0, Filter(frozenset({"cordon"})), 2) if one.event] == [2, 4]
