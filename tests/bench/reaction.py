"""How soon a fault in npu-smi's output is told, and what a tool that hangs does to the answers."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from bench import measure
from support.loopback import Site

HANG_PATHS = ("/healthz", "/readyz", "/metrics", "/v1/health", "/v1/npus", "/v1/node")


@dataclass(frozen=True)
class Reaction:
    """Seconds from the moment the tool would say it to the answer that tells it; `tool_s` is that round's npu-smi."""

    seconds: float
    tool_s: float
    interval_s: float

    @property
    def beyond_s(self) -> float:
        """What is left when the interval and the tool's own time are taken away."""
        return self.seconds - self.interval_s - self.tool_s


def fault(site: Site, interval_s: float, npu: int) -> Reaction:
    """Cause it at any moment of a round; look every few milliseconds."""
    time.sleep(random.uniform(0, interval_s))  # noqa: S311  # no secret
    connection = site.connect()
    began = time.monotonic()
    site.fault(f"npu={npu}", "health=Critical", "code=80E01801")
    while site.get("/readyz", connection)[0] == 200:
        time.sleep(0.005)
        if time.monotonic() - began > 20 * interval_s:
            raise RuntimeError("the fault was never told")
    seconds = time.monotonic() - began
    tool_s = _tool_s(site)
    site.fault("heal")
    while site.get("/readyz", connection)[0] != 200:
        time.sleep(0.1)
    return Reaction(seconds, tool_s, interval_s)


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
