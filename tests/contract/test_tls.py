"""What the client believes of whoever answers: only this fleet's CA, only the node's own name, only in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from contract.sites import Agent, Authority
from npu_agent import api
from npufleet import tls
from npufleet.agent_client import AgentClient, Timeouts
from npufleet.agent_errors import AuthError, TlsError, UnreachableError
from npufleet.errors import CredentialError
from npufleet.inventory import Node, Ssh

NODE_ANSWER = {"GET /v1/node": (200, api.Node("lab-1", "0.1.0").to_dict())}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority()
    authority.write(tmp_path / "ca.crt")
    return authority


def client(tmp_path: Path, port: int, *, answer_s: float = 5.0) -> AgentClient:
    node = Node("lab-1", "127.0.0.1", port, Ssh("127.0.0.1"))
    adapter = tls.NodeAdapter("lab-1", tls.trust(tmp_path / "ca.crt"))
    return AgentClient(node, adapter, {"view": "npf_v", "operate": "npf_o"}, Timeouts(1.0, answer_s))


def test_node_with_its_own_certificate_is_believed(tmp_path: Path, authority: Authority) -> None:
    with Agent(dict(NODE_ANSWER)).serve(authority.issue(tmp_path, "lab-1")) as agent:
        for _ in range(2):
            assert client(tmp_path, agent.port).node_facts().node == "lab-1"
        assert agent.asked[0][:2] == ("GET /v1/node", "Bearer npf_v")


def test_connection_is_kept_for_the_next_call(tmp_path: Path, authority: Authority) -> None:
    peers = set()

    def note_peer(request: BaseHTTPRequestHandler) -> None:
        peers.add(request.client_address)
        request.send_response(200)
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"[]")

    with Agent({"GET /v1/workloads/x/logs": note_peer}).serve(authority.issue(tmp_path, "lab-1")) as agent:
        kept = client(tmp_path, agent.port)
        assert [kept.logs("x", 1) for _ in range(3)] == ["[]"] * 3
        kept.close()
    assert len(peers) == 1


@pytest.mark.parametrize(
    ("name", "valid_days", "ours", "said"),
    [
        ("lab-1", 1, False, "not signed by this fleet's CA"),
        ("lab-2", 1, True, "certificate of another node"),
        ("lab-1", -1, True, "has expired"),
    ],
)
def test_others_are_not(
    tmp_path: Path, authority: Authority, name: str, valid_days: int, ours: bool, said: str
) -> None:
    issuer = authority if ours else Authority()
    with Agent(dict(NODE_ANSWER)).serve(issuer.issue(tmp_path, name, valid_days=valid_days)) as agent:
        with pytest.raises(TlsError, match=said):
            client(tmp_path, agent.port).node_facts()
        assert agent.asked == [], "a token was shown to a stranger"


def test_server_without_tls(tmp_path: Path, authority: Authority) -> None:
    with Agent(dict(NODE_ANSWER)).serve(None) as agent:
        with pytest.raises((TlsError, UnreachableError)) as caught:
            client(tmp_path, agent.port, answer_s=1).node_facts()
        assert caught.value.failure.remedy
        assert agent.asked == []


def test_token_that_is_not_accepted(tmp_path: Path, authority: Authority) -> None:
    refusal = api.Problem("No", 401, "There is no such token.", "unauthenticated").to_dict()
    pem = authority.issue(tmp_path, "lab-1")
    with (
        Agent({"GET /v1/node": (401, refusal)}).serve(pem) as agent,
        pytest.raises(AuthError, match="There is no such token"),
    ):
        client(tmp_path, agent.port).node_facts()


def hang(_request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def trickle(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    for _ in range(30):
        request.wfile.write(b" ")
        time.sleep(0.1)


@pytest.mark.parametrize("slow", [hang, trickle])
def test_slow_node_costs_its_time_limit_and_no_more(tmp_path: Path, authority: Authority, slow: object) -> None:
    with Agent({"GET /v1/node": slow}).serve(authority.issue(tmp_path, "lab-1")) as agent:  # type: ignore[dict-item]  # both are handlers
        started = time.monotonic()
        with pytest.raises(UnreachableError, match="did not answer in time"):
            client(tmp_path, agent.port, answer_s=0.5).node_facts()
        assert time.monotonic() - started < 2


def test_followed_log_arrives_while_it_is_written(tmp_path: Path, authority: Authority) -> None:
    first_seen = threading.Event()

    def follow(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for line, wait in ((b"step 1\n", True), ("für\n".encode()[:2], False), ("für\n".encode()[2:], False)):
            request.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            request.wfile.flush()
            if wait:
                assert first_seen.wait(5), "the first line was held back"
        request.wfile.write(b"0\r\n\r\n")

    with Agent({"GET /v1/workloads/x/logs": follow}).serve(authority.issue(tmp_path, "lab-1")) as agent:
        chunks: Iterator[str] = client(tmp_path, agent.port).follow_logs("x", 1)
        assert next(chunks) == "step 1\n"
        first_seen.set()
        assert "".join(chunks) == "für\n"


def test_ca_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n", encoding="utf-8")
    with pytest.raises(CredentialError, match="not a certificate"):
        tls.trust(tmp_path / "ca.crt")
