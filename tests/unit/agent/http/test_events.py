"""Events over HTTP: pages, streams that go on, and readers that come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from npu_agent.api_events import HEALTH
from npu_agent.history import Draft, History, Limits
from npu_agent.http import events
from unit.agent.http.client import Api


def fill(history: History, *messages: str) -> None:
    history.record(Draft(HEALTH, "npu/0", message) for message in messages)
    history.write()


def parsed(block: bytes) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in block.decode().strip().split("\n"))
    return {**fields, "data": json.loads(fields["data"])} if "data" in fields else fields


def test_a_page_goes_on_where_the_last_one_ended(agent: Api) -> None:
    fill(agent.service.history, "one", "two", "three")
    first = agent.ask("GET", "/v1/events?limit=2").json()
    assert [event["message"] for event in first["events"]] == ["one", "two"]
    rest = agent.ask("GET", f"/v1/events?after={first['next']}").json()
    assert [event["message"] for event in rest["events"]] == ["three"]
    assert rest["newest"] == rest["next"]
    assert agent.ask("GET", f"/v1/events?after={rest['next']}").json()["events"] == []


@pytest.mark.parametrize("query", ["after=x", "after=-1", "limit=0x", "follow=maybe", "after=99999999999999999"])
def test_a_wrong_question_is_refused(agent: Api, query: str) -> None:
    assert agent.ask("GET", f"/v1/events?{query}").status_code == 400


def test_events_need_a_token(agent: Api) -> None:
    assert agent.outside.get("/v1/events").status_code == 401
    assert agent.ask("GET", "/v1/events", token="view").status_code == 200


def test_a_stream_ends_with_the_agent_and_counts_its_reader(agent: Api) -> None:
    fill(agent.service.history, "one", "two")
    agent.service.history.close()
    answer = agent.ask("GET", "/v1/events?follow=1", headers={"Last-Event-ID": ""})
    assert answer.headers["content-type"].startswith("text/event-stream")
    _, first, second, _ = answer.text.encode().split(b"\n\n")
    assert parsed(first)["data"]["message"] == "one"
    assert (parsed(second)["id"], parsed(second)["event"]) == (str(parsed(second)["data"]["seq"]), "health")
    assert agent.service.event_readers.count == 0


def test_the_last_event_id_wins_over_after(agent: Api) -> None:
    fill(agent.service.history, "one", "two")
    first = agent.ask("GET", "/v1/events?limit=1").json()["next"]
    agent.service.history.close()
    answer = agent.ask("GET", "/v1/events?follow=1&after=0", headers={"Last-Event-ID": str(first)})
    assert "two" in answer.text
    assert "one" not in answer.text
    assert agent.ask("GET", "/v1/events?follow=1", headers={"Last-Event-ID": "x"}).status_code == 400


def test_too_many_followers_are_refused(agent: Api) -> None:
    agent.service.event_readers.count = agent.service.event_readers.limit
    answer = agent.ask("GET", "/v1/events?follow=1")
    assert (answer.status_code, answer.json()["code"]) == (503, "too-many-failures")
    assert agent.ask("GET", "/v1/events").status_code == 200


async def take(stream: AsyncIterator[bytes], count: int) -> list[bytes]:
    """That many events of the stream, without its comments."""
    found: list[bytes] = []
    while len(found) < count:
        chunk = await asyncio.wait_for(stream.__anext__(), 10)
        found += [block for block in chunk.split(b"\n\n") if b"data: " in block]
    return found


def test_a_follower_gets_what_is_written_later(agent: Api) -> None:
    history = agent.service.history
    fill(history, "one")

    async def follow() -> list[bytes]:
        stream = events._follow(agent.service, 0)
        found = await take(stream, 1)
        asyncio.get_running_loop().call_later(0.01, fill, history, "two", "three")
        found += await take(stream, 2)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        return found

    found = [parsed(block)["data"]["message"] for block in asyncio.run(follow())]
    assert found == ["one", "two", "three"]
    assert agent.service.event_readers.count == 0
    assert history._wakers == set()


def test_a_follower_that_fell_behind_is_told_of_the_gap(agent: Api) -> None:
    history = agent.service.history
    history._limits = Limits(events=10)
    fill(history, "one")

    async def follow() -> list[bytes]:
        stream = events._follow(agent.service, 0)
        await take(stream, 1)
        fill(history, *(f"m {index}" for index in range(50)))
        return await take(stream, 2)

    gap, next_event, *_ = map(parsed, asyncio.run(follow()))
    assert gap["event"] == "gap"
    assert "id" not in gap
    assert gap["data"]["oldest"] == next_event["data"]["seq"]


def test_a_quiet_stream_shows_that_it_lives(agent: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BEAT_S", 0.01)

    async def follow() -> list[bytes]:
        stream = events._follow(agent.service, 0)
        return [await asyncio.wait_for(stream.__anext__(), 10) for _ in range(2)]

    assert asyncio.run(follow()) == [b"retry: 2000\n\n", b": still here\n\n"]


def test_a_slow_follower_holds_one_page_and_not_the_history(agent: Api) -> None:
    history = agent.service.history
    fill(history, *(f"m {index}" for index in range(1000)))

    async def follow() -> int:
        stream = events._follow(agent.service, 0)
        await stream.__anext__()
        return len(await stream.__anext__())

    one_page = asyncio.run(follow())
    assert one_page < 100 * 300
