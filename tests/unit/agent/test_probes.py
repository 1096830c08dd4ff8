from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from npu_agent import engine, probes
from npu_agent.engine import Container
from unit.agent.fake_engine import FakeEngine

HERE = Container("c" * 64, "npufleet-job", "running", address="127.0.0.1")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the library's name
        self.send_response({"/ok": 204, "/moved": 302}.get(self.path, 500))
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def run(container: Container = HERE, network: str = "bridge", **asked: object) -> probes.Outcome:
    return probes.run(probes.settings(asked), container, network, FakeEngine())


@pytest.mark.parametrize(("path", "fine"), [("/ok", True), ("/moved", True), ("/broken", False)])
def test_http_looks_at_the_status_alone(port: int, path: str, fine: bool) -> None:  # a table
    assert run(kind="http", port=port, path=path).fine is fine


def test_tcp(port: int) -> None:
    assert run(kind="tcp", port=port).fine
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found = run(kind="tcp", port=closed.getsockname()[1])
    assert not found.fine
    assert "refused" in found.words


def test_on_the_hosts_network_the_host_is_asked(port: int) -> None:
    nowhere = Container("c", "npufleet-job", "running")
    assert run(nowhere, "host", kind="tcp", port=port).fine
    assert not run(nowhere, "bridge", kind="tcp", port=port).fine


def test_one_that_never_answers_is_given_up() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        found = run(kind="http", port=mute.getsockname()[1], timeout_s=0.1)
    assert (found.fine, "timed out" in found.words) == (False, True)


@pytest.mark.parametrize(("code", "fine"), [(0, True), (3, False), (None, False)])
def test_a_command_inside(code: int | None, fine: bool) -> None:  # a table
    fake = FakeEngine()
    fake.exit_code = code
    found = probes.run(probes.settings({"kind": "exit-code", "command": ["check"]}), HERE, "bridge", fake)
    assert (found.fine, fake.calls) == (fine, ["run check"])


def test_a_log_that_stands_still() -> None:
    asked = probes.settings({"kind": "log-progress", "stalled_after_s": 60})
    assert [probes.stalled(asked, quiet).fine for quiet in (None, 59, 60)] == [True, True, False]
    assert not probes.failure(engine.RefusedError("no")).fine
