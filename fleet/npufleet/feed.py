"""The events of many nodes as one story: what was kept, then what comes, in the order of time."""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from npu_agent.api_events import Event
from npufleet.agent_client import AgentClient
from npufleet.errors import AgentError
from npufleet.result import Failure
from npufleet.views import times

# Events of several nodes come in any order; what is held back for so long is sorted before it is shown.
SETTLE_S = 0.5
RETRY_FIRST_S = 1.0
RETRY_MOST_S = 30.0
_PAGE = 1000
_STACK = 256 * 1024


@dataclass(frozen=True)
class Told:
    """One event of one node; or that a node is silent (a failure), or that it answers again (neither)."""

    node: str
    event: Event | None = None
    failure: Failure | None = None
    missed: bool = False


@dataclass(frozen=True)
class Filter:
    kinds: frozenset[str] = frozenset()
    since: datetime | None = None

    def takes(self, event: Event) -> bool:
        at = times.parse(event.at)
        if self.kinds and event.kind not in self.kinds:
            return False
        return self.since is None or at is None or at >= self.since


@dataclass(frozen=True)
class Kept:
    """What a node had, and the number to go on from."""

    events: list[Event]
    next: int


def kept(client: AgentClient, wanted: Filter, last: int) -> Kept:
    """Read backwards until enough was found: the newest events, or all since a moment."""
    page = client.events(after=0, limit=1)
    newest = page.newest or page.next
    oldest = page.oldest if page.oldest is not None else newest + 1
    found: list[Event] = []
    begin = newest
    while begin >= oldest and (wanted.since is not None or len(found) < last):
        first = max(oldest - 1, begin - _PAGE)
        block = [event for event in client.events(first, limit=begin - first).events if event.seq <= begin]
        found = [event for event in block if wanted.takes(event)] + found
        begin = first
        if wanted.since is not None and block and not Filter(since=wanted.since).takes(block[0]):
            break
        if first < oldest:
            break
    return Kept(found if wanted.since is not None else found[-last:] if last else [], newest)


def in_order(told: Sequence[tuple[str, Event]]) -> list[tuple[str, Event]]:
    """By time; equal times keep each node's own order, which its numbers tell."""
    return sorted(told, key=lambda pair: (_moment(pair[1]), pair[0], pair[1].seq))


def _moment(event: Event) -> datetime:
    return times.parse(event.at) or datetime.min.replace(tzinfo=UTC)


class Follower:
    """A thread for every node: each waits on its own connection, and one that is silent holds nobody up."""

    def __init__(self, clients: Sequence[AgentClient], starts: dict[str, int], wanted: Filter) -> None:
        self._clients = clients
        self._starts = starts
        self._wanted = wanted
        self._heard: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._sleep: Callable[[float], None] = time.sleep

    def follow(self) -> Iterator[Told]:
        before = threading.stack_size(_STACK)
        try:
            for client in self._clients:
                threading.Thread(target=self._listen, args=(client,), name="events", daemon=True).start()
        finally:
            threading.stack_size(before)
        return self._sorted()

    def _sorted(self) -> Iterator[Told]:
        waiting: list[tuple[datetime, str, int, float, Told]] = []
        number = itertools.count()
        while True:
            try:
                told = self._heard.get(timeout=SETTLE_S / 2 if waiting else None)
            except queue.Empty:
                pass
            else:
                moment = _moment(told.event) if told.event else datetime.now(UTC)
                heapq.heappush(waiting, (moment, told.node, next(number), time.monotonic(), told))
            while waiting and time.monotonic() - waiting[0][3] >= SETTLE_S:
                yield heapq.heappop(waiting)[4]

    def _listen(self, client: AgentClient) -> None:
        """Follow one node for ever; where its connection breaks, go on after the last number that was heard."""
        name, pause_s, silent = client.node.name, RETRY_FIRST_S, False
        after = self._starts.get(name)
        while True:
            try:
                if after is None:
                    after = kept(client, self._wanted, 0).next
                for event in client.follow_events(after):
                    if silent:
                        self._heard.put(Told(name))
                        silent, pause_s = False, RETRY_FIRST_S
                    after = self._hear(name, event, after)
            except AgentError as error:
                if not silent:
                    self._heard.put(Told(name, failure=error.failure))
                silent = True
            self._sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)

    def _hear(self, name: str, event: Event | None, after: int) -> int:
        """None is a sign of life, and an event without a number says that others before it are lost."""
        if event is None:
            return after
        if event.seq == 0:
            self._heard.put(Told(name, missed=True))
            return after
        if self._wanted.takes(event):
            self._heard.put(Told(name, event))
        return event.seq
