"""Start-up time, memory and answer times of the built agent, measured as a client sees them: `make bench`."""

from __future__ import annotations

import json
import platform
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests/cases/npu_smi_parse"
TABLE = RECORDED / "info/910B3_8cards_busy_23.0.7.txt"
MAPPING = RECORDED / "info_m/910A_8cards.txt"
PORT = 17443
CERTIFICATE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=bench"
STARTS = 7
REQUESTS = 2000


def archive() -> Path:
    manifest = json.loads((ROOT / "build/agent/manifest.json").read_text(encoding="utf-8"))
    name: str = manifest["artefacts"][platform.machine()]["file"]
    return ROOT / "build/agent" / name


def make_node(folder: Path) -> Path:
    """A configuration with a throw-away certificate and an npu-smi that prints a recorded table."""
    tool = folder / "npu-smi"
    answers = f'info) cat {TABLE};; "info -m") cat {MAPPING};; *) echo "Error parameter of -t";;'
    tool.write_text(f'#!/bin/sh\ncase "$*" in {answers} esac\n', encoding="utf-8")
    tool.chmod(0o755)
    subprocess.run(
        [*CERTIFICATE.split(), "-keyout", "key", "-out", "crt"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (folder / "tokens.json").write_text('{"tokens": []}', encoding="utf-8")
    config = folder / "agent.yaml"
    settings = {
        "node_name": "bench",
        "listen": {"address": "127.0.0.1", "port": PORT},
        "tls": {"certificate": str(folder / "crt"), "key": str(folder / "key"), "ca": str(folder / "crt")},
        "tokens_file": str(folder / "tokens.json"),
        "policy_file": str(folder / "policy.yaml"),
        "state_dir": str(folder / "state"),
        "run_dir": str(folder / "run"),
        "facts_dir": str(folder / "facts"),
        "docker_socket": str(folder / "no-docker.sock"),
        "npu_smi": str(tool),
    }
    config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    return config


def connect() -> HTTPSConnection:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # a certificate of one day, on loopback
    return HTTPSConnection("127.0.0.1", PORT, context=context, timeout=10)


def answer(connection: HTTPSConnection, path: str) -> int:
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status


@contextmanager
def agent(config: Path) -> Iterator[tuple[psutil.Process, float]]:
    """A running agent and the seconds from its start to its first answer."""
    began = time.perf_counter()
    command = [sys.executable, "-I", str(archive()), "run", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                answer(connect(), "/healthz")
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit(f"the agent ended with exit code {process.returncode}")
                time.sleep(0.005)
        yield psutil.Process(process.pid), time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(timeout=20)


def check_eight_npus(config: Path) -> None:
    """Figures of an agent that sees nothing would be flattering."""
    command = [
        sys.executable,
        "-I",
        str(archive()),
        "npus",
        "--socket",
        str(config.parent / "run/agent.sock"),
        "--json",
    ]
    answer_text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seen = [npu["health"] for npu in json.loads(answer_text)["npus"]]
    if seen != ["OK"] * 8:
        sys.exit(f"the agent reads {seen} where the recorded table has eight NPUs")


def times_of(path: str) -> list[float]:
    """Milliseconds of each request over one kept-alive TLS connection."""
    connection = connect()
    times = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        answer(connection, path)
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="npufleet-bench-"))
    try:
        config = make_node(folder)
        starts = []
        for _ in range(STARTS + 1):  # the first one unpacks and compiles
            with agent(config) as (_, seconds):
                starts.append(seconds)
        print(f"{platform.machine()}, {psutil.cpu_count()} CPUs, Python {platform.python_version()}, {archive().name}")
        again = starts[1:]
        print(
            f"start to first answer, unpacked before: median {statistics.median(again):.3f} s, max {max(again):.3f} s"
        )
        with agent(config) as (process, _):
            time.sleep(12)  # two probes
            check_eight_npus(config)
            print(f"resident after two probes: {process.memory_info().rss / 2**20:.1f} MiB")
            for path in ("/healthz", "/readyz"):
                times = times_of(path)
                print(f"{path} over TLS: p50 {times[REQUESTS // 2]:.2f} ms, p99 {times[REQUESTS * 99 // 100]:.2f} ms")
            print(f"resident after {2 * REQUESTS} requests: {process.memory_info().rss / 2**20:.1f} MiB")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
