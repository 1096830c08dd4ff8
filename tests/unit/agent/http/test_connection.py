"""The real server on a socket file, and clients that take their time."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from npu_agent.http import connection, reply, server
from npu_agent.http.peer import SCOPE_KEY, Peer
from npu_agent.problem import ProblemError
from support.serving import read_all, serving

BIG = b"x" * (8 << 20)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """/big is 8 MiB, /body reads what is sent, everything else tells the peer."""
    status, body = 200, json.dumps(scope[SCOPE_KEY].uid).encode()
    if scope["path"] == "/big":
        body = BIG
    if scope["path"] == "/body":
        from starlette.requests import Request

        try:
            await reply.read_json(Request(scope, receive))
        except ProblemError as error:
            status, body = error.problem.status, error.problem.code.encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for at in range(0, len(body), 1 << 16):
        more = at + (1 << 16) < len(body)
        await send({"type": "http.response.body", "body": body[at : at + (1 << 16)], "more_body": more})


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(server, "TICK_S", 0.05)
    monkeypatch.setattr(connection, "HEAD_WAIT_S", 0.3)
    monkeypatch.setattr(connection, "STALL_WAIT_S", 0.8)
    monkeypatch.setattr(connection, "CLOSE_WAIT_S", 0.3)
    monkeypatch.setattr(reply, "BODY_WAIT_S", 0.3)
    with serving(app, server.listen_unix(tmp_path / "s")):
        yield tmp_path / "s"


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    return client


def drip(client: socket.socket, text: bytes, seconds: float) -> bool:
    """Send a byte now and then; tell whether the other end still took them at the end."""
    until = time.monotonic() + seconds
    for byte in text * 1000:
        if time.monotonic() > until:
            return True
        try:
            client.sendall(bytes([byte]))
        except OSError:
            return False
        time.sleep(0.02)
    return True


def test_a_head_that_comes_a_byte_at_a_time_is_answered_408_and_closed(path: Path) -> None:
    with connect(path) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert not drip(client, b"a", 4)
        answer = read_all(client, 3)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "request-timeout"


def test_who_says_nothing_is_let_go(path: Path) -> None:
    with connect(path) as client:
        assert b"408" in read_all(client, 4)


def test_the_next_head_has_a_deadline_too(path: Path) -> None:
    with connect(path) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
        answer = read_all(client, 5)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in answer


def test_a_body_that_comes_a_byte_at_a_time_is_given_up(path: Path) -> None:
    with connect(path) as client:
        client.sendall(b"PUT /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        assert not drip(client, b" ", 5)
        assert b"HTTP/1.1 408" in read_all(client, 3)


def test_a_body_that_nobody_asked_for_holds_no_connection(path: Path) -> None:
    with connect(path) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        assert not drip(client, b" ", 5)


def test_who_does_not_read_the_answer_is_cut_off(path: Path) -> None:
    with connect(path) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(1.4)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            found = read_all(client, 3)
    assert len(found) < len(BIG)


def test_who_reads_steadily_gets_all_of_it(path: Path) -> None:
    with connect(path) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert len(read_all(client, 5)) > len(BIG)


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000])
def test_what_is_no_request_is_a_problem_document(path: Path, request_: bytes) -> None:
    with connect(path) as client:
        client.sendall(request_)
        head, _, body = read_all(client, 3).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "bad-request"


def test_the_kernel_tells_who_is_at_the_socket(path: Path) -> None:
    import os

    with connect(path) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert read_all(client, 3).endswith(str(os.geteuid()).encode())
    assert Peer(uid=os.geteuid()).is_root
