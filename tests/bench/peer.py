"""Debian's prometheus-node-exporter beside the agent: what one page costs each of them, asked by turns."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection

import psutil

from bench import measure
from support import debian
from support.loopback import Site, free_port


@dataclass(frozen=True)
class Pages:
    """Medians of one page, the agent's over TLS with a token, node_exporter's in the clear."""

    agent_ms: float
    peer_ms: float
    agent_cpu_ms: float
    peer_cpu_ms: float
    agent_bytes: int
    peer_bytes: int

    @property
    def ratio(self) -> float:
        return self.agent_ms / self.peer_ms


@contextlib.contextmanager
def node_exporter() -> Iterator[tuple[psutil.Process, int]]:
    program = debian.program("prometheus-node-exporter", "prometheus-node-exporter")
    port = free_port()
    command = [str(program.path), f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(program.env))
    try:
        _await(port)
        yield psutil.Process(process.pid), port
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            measure.get(HTTPConnection("127.0.0.1", port, timeout=10), "/metrics")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def compare(site: Site, agent: psutil.Process, rounds: int = 300) -> Pages:
    """By turns, so that what else the machine does meets both alike."""
    with node_exporter() as (peer, port):
        ours, theirs = site.connect(), HTTPConnection("127.0.0.1", port, timeout=10)
        sizes = measure.get(ours, "/metrics"), measure.get(theirs, "/metrics")
        before = measure.cost(agent).own_s, measure.cost(peer).own_s
        times: list[tuple[float, float]] = []
        for _ in range(rounds):
            one = measure.timed_ms(lambda: measure.get(ours, "/metrics"))
            times.append((one, measure.timed_ms(lambda: measure.get(theirs, "/metrics"))))
        spent = [(measure.cost(who).own_s - was) * 1000 for who, was in zip((agent, peer), before, strict=True)]
    return Pages(
        measure.median([ours for ours, _ in times]), measure.median([theirs for _, theirs in times]),
        spent[0] / rounds, spent[1] / rounds, *sizes,
    )  # fmt: skip
