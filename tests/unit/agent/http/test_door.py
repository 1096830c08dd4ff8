from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from npu_agent.http.door import Door, Room


@pytest.fixture
def door() -> Iterator[Door]:
    with Door(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.room = Room(total=3, per_address=2)
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener


def knock(door: Door, stack: ExitStack, source: str) -> socket.socket:
    client = stack.enter_context(socket.create_connection(door.getsockname(), 5, (source, 0)))
    client.settimeout(5)
    return client


def test_one_address_cannot_take_all_the_room(door: Door) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            knock(door, stack, "127.0.0.1")
            stack.enter_context(door.accept()[0])
        turned_away = knock(door, stack, "127.0.0.1")
        with pytest.raises(ConnectionAbortedError):
            door.accept()
        assert turned_away.recv(1) == b""
        knock(door, stack, "127.0.0.2")
        stack.enter_context(door.accept()[0])
        knock(door, stack, "127.0.0.3")
        with pytest.raises(ConnectionAbortedError):
            door.accept()


def test_who_leaves_makes_room(door: Door) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            knock(door, stack, "127.0.0.1")
            guest, _ = door.accept()
            guest.close()
            guest.close()
        assert not door._inside
