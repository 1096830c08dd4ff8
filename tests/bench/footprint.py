"""What the agent costs a node of sixteen NPUs and how fast it answers: `make bench`, or BENCH="--minutes 60" for long.

Run beside Debian's prometheus-node-exporter, with the simulator as npu-smi and a probe every five seconds.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench import measure, peer, reaction
from support.loopback import Site, archive, make_site
from support.nodes import wait_until

INTERVAL_S = 5.0
# As the unit file sets it.
ENVIRONMENT = (("MALLOC_ARENA_MAX", "2"),)
ENGINES = ("/var/run/docker.sock", "/var/lib/npufleet-lab/engine/docker.sock")
NPUS = 16
CONNECTIONS = 16
REQUESTS = 100_000


def say(what: str, found: str, limit: str = "", *, met: bool | None = None) -> None:
    verdict = "" if met is None else ("  met" if met else "  NOT MET")
    print(f"{what:<50} {found:<52} {limit:<16}{verdict}".rstrip(), flush=True)


def choose_python() -> str:
    """The system's own, as on a node, else the one that runs this."""
    return next((path for path in ("/usr/bin/python3",) if Path(path).is_file()), sys.executable)


def starts(site: Site, python: str, count: int) -> None:
    seconds, spent = [], []
    for _ in range(count + 1):  # the first one unpacks and compiles
        began = time.perf_counter()
        with site.agent(python, ENVIRONMENT) as started:
            seconds.append(time.perf_counter() - began)
            spent.append(measure.cost(psutil.Process(started.pid)).own_s)
    found, cpu = measure.median(seconds[1:]), measure.median(spent[1:])
    text = f"median {found:.3f} s, {cpu:.2f} s cpu, best {min(seconds[1:]):.3f} s"
    say("start to first answer, unpacked before", text, "<= 0.6 s", met=found <= 0.6)


def idle(process: psutil.Process, minutes: float) -> None:
    """Resident memory and processor time while nobody asks; the trend is told from the second minute on."""
    time.sleep(90)  # the first complete probes, and what is loaded with them
    first, before, trail = measure.resident_mib(process), measure.cost(process), []
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        time.sleep(min(60.0, max(0.0, until - time.monotonic())))
        trail.append(measure.resident_mib(process))
    own, tools = measure.cost(process).since(before)
    text = f"{trail[-1]:.1f} MiB, largest {max(trail):.1f}, at 1.5: {first:.1f}"
    say(f"resident after {minutes + 1.5:g} minutes", text, "<= 60 MiB", met=max(trail) <= 60)
    text = f"{own:.3f} % of one core (npu-smi {tools:.2f} %)"
    say(f"processor in these {minutes:g} minutes", text, "<= 0.5 %", met=own <= 0.5)


def answers(site: Site, process: psutil.Process, seconds: int) -> None:
    for path in ("/healthz", "/readyz"):
        before, done, loads = measure.cost(process).own_s, 0, []
        for _ in range(3):
            loads.append(measure.wrk(site, path, connections=CONNECTIONS, seconds=seconds))
            done += loads[-1].requests
        each_ms = (measure.cost(process).own_s - before) * 1000 / done
        best = min(loads, key=lambda load: load.p99_ms)
        text = f"p50 {best.p50_ms:.2f}, p99 {best.p99_ms:.2f} ms; {each_ms:.3f} ms cpu each"
        met = best.p99_ms <= 5 and not sum(load.failed for load in loads)
        say(f"{path} over TLS, {CONNECTIONS} connections, best of 3", text, "p99 <= 5 ms", met=met)


def many(site: Site, process: psutil.Process) -> None:
    done = 0
    while done < REQUESTS:
        for path in ("/healthz", "/readyz", "/metrics", "/v1/npus"):
            done += measure.wrk(site, path, connections=CONNECTIONS, seconds=5).requests
    time.sleep(2 * INTERVAL_S)
    found = measure.resident_mib(process)
    say(f"resident after {done} more requests", f"{found:.1f} MiB", "<= 60 MiB", met=found <= 60)


def pages(site: Site, process: psutil.Process) -> None:
    found = peer.compare(site, process)
    text = f"{found.agent_ms:.2f} ms, {found.agent_cpu_ms:.2f} ms cpu, {found.agent_bytes} B"
    say("/metrics, one connection, TLS and token", text)
    text = f"{found.peer_ms:.2f} ms, {found.peer_cpu_ms:.2f} ms cpu, {found.peer_bytes} B"
    say("node_exporter's page, one connection, plain", text)
    say("/metrics as a part of node_exporter's time", f"{found.ratio:.2f}", "<= 0.25", met=found.ratio <= 0.25)


def reactions(site: Site, count: int) -> None:
    found = [reaction.fault(site, INTERVAL_S, npu) for npu in range(count)]
    worst = max(found, key=lambda one: one.beyond_s)
    text = f"worst of {count}: {worst.seconds:.2f} s, npu-smi {worst.tool_s:.2f} s of it"
    say("fault to /readyz 503", text, "5.2 s + npu-smi", met=worst.beyond_s <= 0.2)
    slowest = max(one.event_s - one.tool_s for one in found)
    say(
        "fault to /v1/events",
        f"worst of {count}: {slowest:.2f} s beside npu-smi",
        "5.2 s",
        met=slowest <= INTERVAL_S + 0.2,
    )
    hung = reaction.hang(site, INTERVAL_S)
    met = 0 < hung.unknown_after_s <= 3 * INTERVAL_S
    say("npu-smi hangs: every NPU unknown after", f"{hung.unknown_after_s:.1f} s", f"<= {3 * INTERVAL_S:g} s", met=met)
    path, slowest = max(hung.slowest_ms.items(), key=lambda item: item[1])
    say("npu-smi hangs: slowest answer meanwhile", f"{slowest:.0f} ms ({path})")


def headline(python: str, engine: str | None) -> None:
    version = subprocess.run([python, "-V"], check=True, capture_output=True, text=True).stdout.strip()
    docker = "Docker connected" if engine else "Docker absent"
    machine = f"{platform.machine()}, {psutil.cpu_count()} CPUs, load average {measure.load_average()}"
    print(f"{machine}, {version}, {archive().name}")
    print(f"{NPUS} simulated NPUs, a probe every {INTERVAL_S:g} s, {docker}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3, help="how long to leave it alone; 60 is the long one")
    parser.add_argument("--faults", type=int, default=5, help="how many faults to cause")
    parser.add_argument("--python", default=choose_python())
    chosen = parser.parse_args()
    engine = next((path for path in ENGINES if Path(path).is_socket()), None)
    headline(chosen.python, engine)
    with tempfile.TemporaryDirectory(prefix="npufleet-bench-") as folder:
        site = make_site(Path(folder), docker_socket=engine, fast_interval_s=INTERVAL_S)
        starts(site, chosen.python, 7)
        with site.agent(chosen.python, ENVIRONMENT) as started:
            process = psutil.Process(started.pid)
            wait_until("sixteen NPUs", 30, lambda: len(site.json("/v1/npus")["npus"]) == NPUS)
            wait_until("a ready node", 60, lambda: site.get("/readyz")[0] == 200)
            idle(process, chosen.minutes)
            answers(site, process, 10)
            many(site, process)
            pages(site, process)
            reactions(site, chosen.faults)
            last = measure.resident_mib(process)
            say("resident at the end", f"{last:.1f} MiB", "<= 60 MiB", met=last <= 60)
            print(f"load average at the end: {measure.load_average()}")


if __name__ == "__main__":
    main()
