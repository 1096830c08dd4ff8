"""The agent's own listener over real TLS: who gets in, and what those cost who do not want to."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from contract.sites import Authority
from npu_agent.config import Config, Listen, Tls
from npu_agent.http import server
from npu_agent.http.door import Room
from support.serving import read_all, serving
from unit.agent.bench import Bench, prepared
from unit.agent.http.client import Api

HOST = "127.0.0.1"


@dataclass
class Agent:
    folder: Path
    authority: Authority
    port: int

    def client(self, certificate: Path | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.folder / "ca.crt")
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context

    def connect(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        return context.wrap_socket(socket.create_connection((HOST, self.port), 5), server_hostname=HOST)

    def ask(self, path: str, context: ssl.SSLContext, token: str | None = None) -> tuple[int, Any]:
        header = f"Authorization: Bearer {token}\r\n" if token else ""
        with self.connect(context) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{header}Connection: close\r\n\r\n".encode())
            head, _, body = read_all(client, 5).partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    for name in ("SSL_HANDSHAKE_TIMEOUT", "SSL_SHUTDOWN_TIMEOUT"):
        monkeypatch.setattr(asyncio.constants, name, getattr(asyncio.constants, name))
    monkeypatch.setattr(server, "HANDSHAKE_WAIT_S", 0.5)
    monkeypatch.setattr(server, "ROOM", Room(total=8, per_address=4))
    authority = Authority()
    authority.write(tmp_path / "ca.crt")
    own = str(authority.issue(tmp_path, "node", usage=ExtendedKeyUsageOID.SERVER_AUTH))
    config = Config("n", listen=Listen(HOST, 0), tls=Tls(own, own, str(tmp_path / "ca.crt")))
    server.limit_tls()
    bench = Bench(tmp_path, prepared(tmp_path))
    for made in Api(bench).open():
        listener = server.listen_tcp(config)
        with serving(made.outside.app, listener, server.tls_context(config)):
            yield Agent(tmp_path, authority, listener.getsockname()[1])
    bench.close()


def test_a_token_is_enough(agent: Agent) -> None:
    assert agent.ask("/v1/node", agent.client(), "op")[0] == 200
    assert agent.ask("/v1/node", agent.client())[0] == 401


def test_a_client_certificate_that_the_node_lists_is_enough(agent: Agent) -> None:
    alice = agent.authority.issue(agent.folder, "alice", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    mallory = agent.authority.issue(agent.folder, "mallory", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    assert agent.ask("/v1/node", agent.client(alice))[0] == 200
    assert agent.ask("/v1/node", agent.client(mallory))[0] == 403


@pytest.mark.parametrize("whose", ["a stranger's", "a node's", "an expired one"])
def test_other_certificates_end_the_handshake(agent: Agent, whose: str) -> None:
    issuer = Authority() if whose == "a stranger's" else agent.authority
    usage = ExtendedKeyUsageOID.SERVER_AUTH if whose == "a node's" else ExtendedKeyUsageOID.CLIENT_AUTH
    days = -1 if whose == "an expired one" else 1
    pem = issuer.issue(agent.folder, "alice", usage=usage, valid_days=days)
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
        agent.ask("/v1/node", agent.client(pem))


def test_nothing_older_than_tls_1_2_is_spoken(agent: Agent) -> None:
    context = agent.client()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        agent.connect(context)
    modern = agent.client()
    modern.maximum_version = ssl.TLSVersion.TLSv1_2
    assert agent.ask("/healthz", modern)[0] == 200


def test_a_handshake_that_takes_its_time_is_ended_and_others_are_served(agent: Agent) -> None:
    began = time.monotonic()
    silent = [socket.create_connection((HOST, agent.port), 5) for _ in range(3)]
    assert agent.ask("/healthz", agent.client())[0] == 200
    for client in silent:
        with client:
            assert read_all(client, 5) == b""
    assert time.monotonic() - began < 5


def test_one_address_has_only_so_many_connections_and_gets_them_back(agent: Agent) -> None:
    context = agent.client()
    held = [agent.connect(context) for _ in range(4)]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        agent.connect(context)
    for client in held:
        client.close()
    time.sleep(0.5)
    assert agent.ask("/healthz", context)[0] == 200, "the room was not given back"
