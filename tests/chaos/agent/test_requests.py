"""Clients may come all at once, and may be as slow as they like."""

from __future__ import annotations

import dataclasses
import socket
import ssl
import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import requests

from chaos.agent.acts import leased
from support.chaos import Trial
from support.load import Load
from support.nodes import Node, wait_until
from support.workloads import IMAGE, SLEEP, ready

CLIENTS = 64


@dataclasses.dataclass(frozen=True)
class Connected(Node):
    """A client that has shaken hands already, so that its request leaves at the moment that is meant."""

    session: requests.Session = dataclasses.field(default_factory=requests.Session)

    def http(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.session.request(
            method,
            f"https://{self.address}:{self.port}{path}",
            headers=headers,
            verify=str(self.pki / "ca.crt"),
            timeout=120,
            **options,
        )

    def let_in(self) -> bool:
        try:
            return self.http("GET", "/healthz").status_code == 200
        except requests.ConnectionError:  # the agent has room for so many of one address
            return False


def test_64_clients_ask_for_the_same_npu_and_exactly_one_gets_it(trial: Trial) -> None:
    """Of 64 requests for one NPU in the same moment one is granted, and 63 are refused by its owner's name within 30 s.

    Twice, and ten times in the full run. Afterwards there is one container and one lease.
    """
    for number in range(max(2, trial.profile.kills // 20)):
        npu, names = number % 8, [f"claim-{number}-{client}" for client in range(CLIENTS)]
        answers = all_at_once(trial, names, npu)
        trial.caused("64 clients at once")
        granted = [name for name, (status, _) in answers.items() if status == 201]
        assert len(granted) == 1, {name: status for name, (status, _) in answers.items()}
        for name, (status, problem) in answers.items():
            if name not in granted:
                assert (status, problem["code"], problem["npu"]) == (409, "npu-held", npu), problem
                assert (problem["holder"]["kind"], problem["holder"]["name"]) == ("workload", granted[0])
                assert granted[0] in problem["detail"]
        wait_until("the agent has closed their connections", 30, partial(ready, trial.node))
        assert leased(trial.node) == [npu]
        assert list(trial.node.containers()) == [f"npufleet-{granted[0]}"]
        trial.settle()
        trial.clear()


def all_at_once(trial: Trial, names: list[str], npu: int) -> dict[str, tuple[int, dict[str, Any]]]:
    """Status and document by name. No response is kept: with it its connection would stay open."""
    fields = {field.name: getattr(trial.node, field.name) for field in dataclasses.fields(trial.node)}
    clients = [Connected(**fields) for _ in names]
    barrier = threading.Barrier(len(names), timeout=60)

    def ask(client: Connected, name: str) -> tuple[int, dict[str, Any]]:
        with client.session:
            wait_until("let in", 30, client.let_in)
            barrier.wait()
            answer = trial.ledger.put(client, name, image=IMAGE, npus=[npu], command=SLEEP)
        assert answer is not None, f"{name} was not answered"
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(len(names)) as pool:
        began = time.monotonic()
        found = dict(zip(names, pool.map(ask, clients, names), strict=True))
    assert time.monotonic() - began < trial.profile.within(60)
    return found


class Drip:
    """A client that sends a byte a second, and what became of it."""

    def __init__(self, node: Node, kind: str, text: bytes, after: bytes = b"") -> None:
        self.kind = kind
        self.answer = b""
        self.took_s = 0.0
        self._text = text
        self._at_once = after
        self._node = node
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _connect(self) -> socket.socket:
        plain = socket.create_connection((self._node.address, self._node.port), timeout=10)
        if self.kind == "handshake":
            return plain
        context = ssl.create_default_context(cafile=str(self._node.pki / "ca.crt"))
        return context.wrap_socket(plain, server_hostname=self._node.address)

    def _go_on(self) -> None:
        with self._connect() as client:
            began = time.monotonic()
            try:
                client.sendall(self._at_once)
                client.settimeout(1.0)
                for byte in self._text:
                    client.sendall(bytes([byte]))
                    try:
                        chunk = client.recv(65536)
                    except TimeoutError:
                        continue
                    self.answer += chunk
                    if not chunk:
                        break
            except OSError:
                pass
            self.took_s = time.monotonic() - began


def drips(node: Node, kinds: Collection[str]) -> list[Drip]:
    """Six in each state that a connection has before its request is whole."""
    length = 600
    head = (
        f"PUT /v1/workloads/slow HTTP/1.1\r\nHost: {node.address}\r\nAuthorization: Bearer {node.token('operate')}\r\n"
    )
    body = f"{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(505)
    texts = {
        "handshake": (hello, b""),
        "head": (head.encode() + b"X-Long: " + b"a" * length, b""),
        "body": (b"{" + b" " * length, body.encode()),
    }
    return [Drip(node, kind, *texts[kind]) for kind in kinds for _ in range(6)]


def test_clients_that_send_a_byte_a_second_are_cut_and_hold_up_nobody(trial: Trial) -> None:
    """Who sends a byte a second is cut after 10 s in the TLS handshake or the head.

    In the body it is answered 408 after 30 s and cut within another 10 (in the full run). The deadlines are kept to
    within 3 s. Meanwhile every /healthz is answered within 2 s, and others' starts and stops are done as ever.
    """
    node, limits = trial.node, {"handshake": 10, "head": 10}
    if trial.profile.name == "full":
        limits["body"] = 40
    clients = drips(node, limits)
    trial.figures.faults["byte a second"] += len(clients)
    end = time.monotonic() + max(limits.values()) + 3
    with Load(node, trial.ledger, trial.random, clients=1):
        while time.monotonic() < end and any(not client.took_s for client in clients):
            began = time.monotonic()
            assert node.http("GET", "/healthz").status_code == 200
            took = time.monotonic() - began
            trial.figures.longest_s["/healthz beside slow clients"] = max(
                took, trial.figures.longest_s.get("/healthz beside slow clients", 0)
            )
            assert took < trial.profile.within(2)
            trial.check()
    for client in clients:
        client.join(1)
        assert 0 < client.took_s <= trial.profile.within(limits[client.kind] + 3), client.kind
        assert client.took_s >= limits[client.kind] - 1, f"{client.kind} was cut early"
        assert client.kind == "handshake" or b" 408 " in client.answer.splitlines()[0], client.answer
    done = trial.ledger.requests
    assert done["PUT 201"] + done["DELETE 200"] >= 5, "others were served meanwhile"
    trial.clear()
