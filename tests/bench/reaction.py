"""How soon a fault in npu-smi's output is told, and what a tool that hangs does to the answers."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from http.client import HTTPSConnection

from bench import measure
from support.loopback import Site

HANG_PATHS = ("/healthz", "/readyz", "/metrics", "/v1/health", "/v1/npus", "/v1/node")


@dataclass(frozen=True)
class Reaction:
    """Seconds from the moment the tool would say it to the answer that tells it; `tool_s` is that round's npu-smi.

    `event_s` is how long it took until /v1/events had it.
    """

    seconds: float
    event_s: float
    tool_s: float
    interval_s: float

    @property
    def beyond_s(self) -> float:
        """What is left when the interval and the tool's own time are taken away."""
        return self.seconds - self.interval_s - self.tool_s


def fault(site: Site, interval_s: float, npu: int) -> Reaction:
    """Cause it at any moment of a round; look every few milliseconds."""
    time.sleep(random.uniform(0, interval_s))
    connection = site.connect()
    newest = site.json("/v1/events?limit=10000")["next"]
    began = time.monotonic()
    site.fault(f"npu={npu}", "health=Critical", "code=80E01801")
    seconds = event_s = 0.0
    while not (seconds and event_s):
        time.sleep(0.005)
        waited = time.monotonic() - began
        if waited > 20 * interval_s:
            raise RuntimeError("the fault was never told")
        if not seconds and site.get("/readyz", connection)[0] != 200:
            seconds = time.monotonic() - began
        if not event_s and _has_event(site, connection, newest, f"npu/{npu}"):
            event_s = time.monotonic() - began
    tool_s = _tool_s(site)
    site.fault("heal")
    while site.get("/readyz", connection)[0] != 200:
        time.sleep(0.1)
    return Reaction(seconds, event_s, tool_s, interval_s)


def _has_event(site: Site, connection: HTTPSConnection, after: int, subject: str) -> bool:
    page = json.loads(site.get(f"/v1/events?after={after}", connection)[1])
    return any(event["subject"] == subject for event in page["events"])


def _tool_s(site: Site) -> float:
    """The table, and the question about the codes of the chip that is not well."""
    durations = {}
    for line in site.get("/metrics")[1].decode().splitlines():
        if line.startswith("npufleet_probe_duration_seconds{"):
            name, _, value = line.rpartition(" ")
            durations[name.split('"')[1]] = float(value)
    return durations["info"] + durations.get("info -t health", 0.0)


@dataclass(frozen=True)
class Hang:
    """Seconds until the NPUs are told as unknown, and the slowest answer of each path meanwhile, in milliseconds."""

    unknown_after_s: float
    slowest_ms: dict[str, float]


def hang(site: Site, interval_s: float) -> Hang:
    connection = site.connect()
    slowest = dict.fromkeys(HANG_PATHS, 0.0)
    site.fault("hang")
    began = time.monotonic()
    unknown_after_s = 0.0
    while time.monotonic() - began < 6 * interval_s:
        for path in HANG_PATHS:
            slowest[path] = max(slowest[path], measure.timed_ms(lambda path=path: site.get(path, connection)))  # type: ignore[misc]  # bound now
        if not unknown_after_s and all(npu["state"] == "unknown" for npu in site.json("/v1/npus")["npus"]):
            unknown_after_s = time.monotonic() - began
        time.sleep(0.02)
    site.fault("heal")
    return Hang(unknown_after_s, slowest)
