"""A simulated fleet as its users meet it: real processes and TLS, the CLI, and a playbook that changes it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from npu_agent import api
from npufleet.fleet import Fleet, open_fleet
from npufleet.wire import read
from npufleet_lab.swarm import site
from support.repo import ROOT

# Tests that run side by side have each a fleet of their own.
NAME = f"test-swarm-{os.getpid()}"
PORT = 20000 + os.getpid() % 10000
FOLDER = ROOT / "inventory" / NAME
BIN = Path(sys.executable).parent


def call(*words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "NPUFLEET_INVENTORY": str(FOLDER), "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run([str(BIN / words[0]), *words[1:]], capture_output=True, text=True, check=False, env=environ)


def fault(*words: str) -> None:
    assert call("npufleet", "lab", "swarm-fault", "--name", NAME, *words).returncode == 0


@pytest.fixture(scope="module")
def swarm() -> Iterator[None]:
    command = [str(BIN / "npufleet"), "lab", "swarm", "-n", "60", "--name", NAME, "--port", str(PORT)]
    command += ["-f", "sim-0003 npu=3", "-f", "sim-0005 dead"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            assert "60 simulated nodes answer, 2 of them with a fault" in process.stdout.readline()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    assert not FOLDER.exists()


@pytest.fixture
def fleet(swarm: None) -> Fleet:
    return open_fleet(FOLDER)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


def ask(fleet: Fleet, method: str, path: str, kind: Any, body: Any = None) -> Any:
    scope = api.SCOPE_VIEW if method == "GET" else api.SCOPE_OPERATE
    return read(kind, fleet.client("sim-0001")._call(method, path, scope=scope, body=body).document)


def test_status_says_that_it_is_simulated_and_folds_what_is_fine(swarm: None) -> None:
    done = call("npufleet", "status")
    lines = done.stdout.splitlines()
    assert done.returncode == 3
    assert "SIMULATED" in lines[0]
    assert [line.split()[1] for line in lines if line.startswith(("  ✖", "  ●"))] == [
        "sim-0005", "sim-0003", "rack_01", "rack_02",
    ]  # fmt: skip
    assert "48 of 50 ready" in done.stdout
    document = json.loads(call("npufleet", "status", "--json").stdout)["data"]
    assert (document["summary"]["nodes"]["ready"], len(document["nodes"])) == (58, 60)


def test_a_job_a_cordon_and_a_drain_are_the_agents_own(fleet: Fleet) -> None:
    assert call("npufleet", "run", "x:1", "--name", "j", "--npus", "2", "--node", "sim-0001").returncode == 0
    assert [w.name for w in fleet.client("sim-0001").workloads()] == ["j"]
    body = {"owner": "rollout/1", "reason": "test", "mode": api.DRAIN_IMMEDIATE}
    assert ask(fleet, "PUT", "/v1/drain", api.Drain, body).state in {"draining", "drained"}
    assert fleet.client("sim-0001").node_facts().cordoned
    until(lambda: ask(fleet, "GET", "/v1/drain", api.Drain).state == "drained")
    refused = call("npufleet", "run", "x:1", "--name", "k", "--npus", "1", "--node", "sim-0001")
    assert refused.returncode != 0
    assert not ask(fleet, "DELETE", "/v1/cordon?owner=rollout/1", api.Cordons).cordoned
    assert not fleet.client("sim-0002").node_facts().cordoned
    told = [event.message for event in fleet.client("sim-0001").events().events]
    assert {"the node is cordoned", "the node is no longer cordoned", "NPU 0 is leased to j"} <= set(told)


def test_faults_come_and_go(fleet: Fleet) -> None:
    client = fleet.client("sim-0007")
    assert client.health().ready
    fault("sim-0007", "unhealthy")
    until(lambda: not client.health().ready)
    fault("sim-0007", "heal")
    until(lambda: client.health().ready)


def test_a_playbook_gives_another_version(fleet: Fleet) -> None:
    playbook = site.own(FOLDER) / "playbook.yml"
    done = call("ansible-playbook", "-i", str(FOLDER), str(playbook), "-e", "version=9.9.9", "--limit", "sim-0009")
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: fleet.client("sim-0009").node_facts().agent_version == "9.9.9")
    assert fleet.client("sim-0010").node_facts().agent_version != "9.9.9"


def test_events_follow_over_all_nodes_and_past_a_silence(swarm: None) -> None:
    # Whoever started the tests in the background may have had interrupts ignored.
    command = ["env", "--default-signal=INT", *(["stdbuf", "-oL"] if shutil.which("stdbuf") else [])]
    command += [str(BIN / "npufleet"), "events", "-f", "-n", "0", "--json", "-i", str(FOLDER), "-l", "sim-001*"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            check_follow(process)
        finally:
            process.kill()  # else the end of this block would wait for it


def check_follow(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    lines = (json.loads(line)["data"] for line in process.stdout)
    time.sleep(2.5)  # nothing says when the last of them is followed
    fault("sim-0011", "npu=2")
    assert next(told for told in lines if told["event"])["node"] == "sim-0011"
    fault("sim-0012", "dead")
    assert next(told for told in lines if told["failure"])["node"] == "sim-0012"
    fault("sim-0012", "unhealthy")
    found = next(told for told in lines if told["node"] == "sim-0012" and told["event"])
    assert found["event"]["kind"] == "health"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
