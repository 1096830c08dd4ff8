"""What a process costs and how long its answers take, as a client and the kernel see it."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection

import psutil

from support import debian
from support.loopback import TOKEN, Site

MIB = 2**20
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time: the process's own, and that of the tools it ran to their end."""

    own_s: float
    children_s: float
    at: float

    def since(self, before: Cost) -> tuple[float, float]:
        """Percent of one core between two looks: own, children's."""
        span = self.at - before.at
        return 100 * (self.own_s - before.own_s) / span, 100 * (self.children_s - before.children_s) / span


def cost(process: psutil.Process) -> Cost:
    times = process.cpu_times()
    return Cost(times.user + times.system, times.children_user + times.children_system, time.monotonic())


def resident_mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / MIB


@dataclass(frozen=True)
class Load:
    requests: int
    failed: int
    p50_ms: float
    p99_ms: float
    per_second: float


def wrk(site: Site, path: str, *, connections: int, seconds: int) -> Load:
    """Ask as fast as answers come, over so many kept-alive TLS connections."""
    program = debian.program("wrk", "wrk", "libluajit-5.1-2", "libluajit-5.1-common")
    command = [str(program.path), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-H", f"Authorization: Bearer {TOKEN}", f"https://127.0.0.1:{site.port}{path}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(program.env)).stdout
    refused = sum(int(count) for count in re.findall(r"Non-2xx or 3xx responses: (\d+)", said))
    broken = sum(int(count) for count in re.findall(r"(?:connect|read|write|timeout) (\d+)", said))
    total = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+(\S+)", said)
    assert total is not None, said
    assert rate is not None, said
    return Load(int(total[1]), refused + broken, _quantile(said, 50), _quantile(said, 99), float(rate[1]))


def _quantile(said: str, percent: int) -> float:
    match = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
    assert match is not None, said
    return float(match[1]) * _UNITS_MS[match[2]]


def get(connection: HTTPSConnection | HTTPConnection, path: str) -> int:
    """Fetch a page and return its size."""
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    response = connection.getresponse()
    size = len(response.read())
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status}")
    return size


def timed_ms(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def quantile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def median(values: list[float]) -> float:
    return statistics.median(values)


def load_average() -> str:
    return f"{os.getloadavg()[0]:.1f}"
