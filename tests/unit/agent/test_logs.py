from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from npu_agent.logs import Followers
from npu_agent.problem import ProblemError
from unit.agent.fake_engine import FakeLogs


async def opened(followers: Followers) -> None:
    while len(followers) == 0:  # noqa: ASYNC110  # the product needs no event for what only a test awaits
        await asyncio.sleep(0.001)


async def collected(followers: Followers, stream: FakeLogs, limit: int = 100) -> list[bytes]:
    found = []
    reading = followers.read(stream)
    async for chunk in reading:
        found.append(chunk)
        if len(found) == limit:
            break
    await reading.aclose()  # type: ignore[attr-defined]  # it is an asynchronous generator
    return found


def test_everything_arrives_in_order() -> None:
    chunks = [f"{index}\n".encode() for index in range(200)]
    assert asyncio.run(collected(Followers(), FakeLogs(chunks, follow=False), 1000)) == chunks


def test_a_client_that_leaves_ends_the_stream() -> None:
    followers, stream = Followers(), FakeLogs([b"x"] * 500, follow=True)
    assert asyncio.run(collected(followers, stream, 1)) == [b"x"]
    assert stream.closed.is_set()
    assert len(followers) == 0


def test_the_agents_stop_ends_every_follower() -> None:
    async def scenario() -> list[bytes]:
        followers, stream = Followers(), FakeLogs([b"x"], follow=True)
        reading = asyncio.ensure_future(collected(followers, stream))
        await opened(followers)
        followers.close()
        return await asyncio.wait_for(reading, 5)

    assert asyncio.run(scenario()) == [b"x"]


def test_followers_are_bounded() -> None:
    async def scenario() -> None:
        followers = Followers(limit=1)
        reading = asyncio.ensure_future(collected(followers, FakeLogs([], follow=True)))
        await opened(followers)
        with pytest.raises(ProblemError):
            followers.check()
        followers.close()
        await reading

    asyncio.run(scenario())


def test_a_slow_client_holds_up_the_reader_not_the_memory() -> None:
    taken = 0
    done = threading.Event()

    class Endless(FakeLogs):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal taken
            while not self.closed.is_set():
                taken += 1
                yield b"x" * 1000
            done.set()

    async def scenario() -> None:
        reading = Followers().read(Endless([], follow=True))
        await reading.__anext__()
        await asyncio.sleep(0.1)
        assert taken < 40
        await reading.aclose()  # type: ignore[attr-defined]  # it is an asynchronous generator
        await asyncio.to_thread(done.wait, 5)

    asyncio.run(scenario())
