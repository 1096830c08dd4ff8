"""What is written in one turn leaves in one piece; a cut connection leaves no timer behind."""

from __future__ import annotations

import asyncio
from typing import Any

from npu_agent.http import server
from npu_agent.http.connection import Connection
from npu_agent.http.gathered import GATHER_LIMIT, Gathered


class Line:
    """Stands for the kernel's end of a connection."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def get_extra_info(self, name: str) -> Any:
        return None


def turn(line: Line, *writes: bytes, close: bool = False) -> None:
    async def run() -> None:
        gathered = Gathered(line, asyncio.get_running_loop())  # type: ignore[arg-type]  # enough of a transport
        for data in writes:
            gathered.write(data)
        if close:
            gathered.close()
        await asyncio.sleep(0)

    asyncio.run(run())


def test_head_and_body_leave_in_one_piece() -> None:
    line = Line()
    turn(line, b"head", b"body")
    assert line.sent == [b"headbody"]


def test_nothing_is_lost_when_the_answer_ends_the_connection() -> None:
    line = Line()
    turn(line, b"head", b"body", close=True)
    assert line.sent == [b"headbody"]
    assert line.closing


def test_a_long_stream_is_not_held_back() -> None:
    line = Line()
    turn(line, b"x" * GATHER_LIMIT, b"y")
    assert [len(data) for data in line.sent] == [GATHER_LIMIT, 1]


def test_nothing_is_written_to_a_connection_that_was_aborted() -> None:
    line = Line()
    line.closing = True
    turn(line, b"head")
    assert line.sent == []


def test_the_server_uses_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    assert server.make_server(app).config.http_protocol_class is Connection


def test_a_cut_connection_leaves_no_timer() -> None:
    async def run() -> None:
        made = server.make_server(lambda _scope, _receive, _send: None)  # type: ignore[arg-type,return-value]  # never called
        connection = Connection(made.config, made.server_state, {}, asyncio.get_running_loop())
        connection.connection_made(Line())  # type: ignore[arg-type]  # enough of a transport
        timer = asyncio.get_running_loop().call_later(30, lambda: None)
        connection.timeout_keep_alive_task = timer
        connection.connection_lost(ConnectionResetError())
        assert timer.cancelled()
        assert connection.timeout_keep_alive_task is None

    asyncio.run(run())
