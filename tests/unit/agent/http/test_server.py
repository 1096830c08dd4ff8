from __future__ import annotations

import asyncio
import socket
import stat
from asyncio import sslproto
from pathlib import Path

import pytest

from npu_agent.config import Config, ConfigError, Listen, Tls
from npu_agent.http import server
from npu_agent.http.connection import Connection


def test_the_socket_is_roots_from_its_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    path.write_text("left by a crash")
    listener = server.listen_unix(path)
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_ISSOCK(path.stat().st_mode)
    finally:
        listener.close()


def test_a_port_in_use_is_one_sentence() -> None:
    first = server.listen_tcp(Config("n", listen=Listen("127.0.0.1", 0)))
    try:
        with pytest.raises(ConfigError, match="another program listens there"):
            server.listen_tcp(Config("n", listen=Listen("127.0.0.1", first.getsockname()[1])))
    finally:
        first.close()


def test_small_answers_do_not_wait_for_the_readers_acknowledgement() -> None:
    listener = server.listen_tcp(Config("n", listen=Listen("127.0.0.1", 0)))
    try:
        listener.setblocking(True)
        with socket.create_connection(listener.getsockname(), timeout=5):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    finally:
        listener.close()


def test_a_missing_certificate_is_one_sentence(tmp_path: Path) -> None:
    config = Config("n", tls=Tls(str(tmp_path / "c"), str(tmp_path / "k"), str(tmp_path / "a")))
    with pytest.raises(ConfigError, match="Run the certificates role"):
        server.tls_context(config)


def test_tls_buffers_are_small_where_python_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = getattr(sslproto.SSLProtocol, "max_size", None)
    assert before is not None, "the private attribute is gone: measure the memory of TLS connections again"
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", before)
    server.limit_tls()
    assert sslproto.SSLProtocol.max_size == 16 * 1024


def test_limits_are_set() -> None:
    async def make() -> server.Server:
        async def app(_scope: object, _receive: object, _send: object) -> None: ...

        return server.make_server(app)

    config = asyncio.run(make()).config
    assert (config.http, config.h11_max_incomplete_event_size) == (Connection, 16 * 1024)
    assert (config.server_header, config.access_log) == (False, False)
