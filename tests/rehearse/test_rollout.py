"""Rollouts over a simulated fleet, 3 % of which do not stand them: at the end every node is accounted for.

The program, its record, ansible-playbook and the agents' API over TLS are real; the nodes are not. It prints figures:
`make rehearse` takes 1,000 nodes, NPUFLEET_REHEARSE_NODES another number of them.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from npufleet import survey
from npufleet.fleet import open_fleet
from npufleet_lab.swarm import script, site
from support.repo import ROOT

NODES = int(os.environ.get("NPUFLEET_REHEARSE_NODES", "100"))
NAME = f"rehearse-{os.getpid()}"
PORT = 20000 + os.getpid() % 10000
FOLDER = ROOT / "inventory" / NAME
BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
# Long enough for a node to read its script and to be asked twice, in however many nodes and on a busy machine.
DEADLINE_S = 10 + NODES // 25
SETTINGS = {
    "auto_promote": True,
    "max_parallel": [1, "50%"],
    "min_healthy_time": "1s",
    "consecutive_success_limit": 1,  # a simulated node looks at itself every 5 s
    "healthy_deadline": f"{DEADLINE_S}s",
    "progress_deadline": f"{DEADLINE_S + 1}s",
}


@dataclass(frozen=True)
class End:
    """How a rollout ended: its exit code, itself, and its nodes by their names."""

    code: int
    rollout: dict[str, Any]
    nodes: dict[str, dict[str, Any]]

    def states(self) -> Counter[str]:
        return Counter(node["state"] for node in self.nodes.values())


@pytest.fixture(scope="module")
def swarm() -> Iterator[None]:
    command = [str(BIN / "npufleet"), "lab", "swarm", "-n", str(NODES), "--name", NAME, "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            assert f"{NODES} simulated nodes answer" in process.stdout.readline()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@pytest.fixture(scope="module")
def stable(swarm: None, tmp_path_factory: pytest.TempPathFactory) -> End:
    """The revision to go back to: it has reached every node."""
    return roll(tmp_path_factory.mktemp("stable"), "0.2.0", canary=0, max_parallel="100%")


def roll(folder: Path, version: str, **more: object) -> End:
    revision = {
        "name": f"agent-{version}",
        "playbook": str((site.own(FOLDER) / "playbook.yml").relative_to(ROOT)),
        "variables": {"version": version},
        "agent": {"version": version},
        "rollout": {**SETTINGS, **more},
    }
    file = folder / "revision.yml"
    file.write_text(yaml.safe_dump(revision), encoding="utf-8")
    begun = time.monotonic()
    done = subprocess.run(
        [str(BIN / "npufleet"), "-i", str(FOLDER), "--json", "rollout", "run", "-f", str(file)],
        capture_output=True, text=True, check=False, env=ENVIRONMENT, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.strip(), done.stderr
    data = json.loads(done.stdout)["data"]
    end = End(done.returncode, data["rollout"], {node["node"]: node for node in data["nodes"]})
    told = ", ".join(f"{count} {state}" for state, count in sorted(end.states().items()))
    print(f"\n{NODES} simulated nodes, {version}: {end.rollout['state']} in {time.monotonic() - begun:.1f} s: {told}")
    print(f"  {end.rollout['reason']}", flush=True)
    return end


def spoil(*faults: str) -> dict[str, str]:
    """Give 3 % of the nodes one of the faults each, evenly spread and never the canary, in place of those before."""
    sick = [site.name_of(index) for index in range(10, NODES + 1, 33)]
    given = dict(zip(sick, itertools.cycle(faults), strict=False))
    script.write(site.own(FOLDER) / "control", "60-rehearsal.yml", given)
    return given


def with_fault(given: dict[str, str], fault: str) -> set[str]:
    return {name for name, words in given.items() if words == fault}


def as_it_is() -> tuple[Counter[str | None], set[str]]:
    """What the agents themselves say: how many have which version, and who is cordoned."""
    statuses = survey.take(open_fleet(FOLDER))
    versions = Counter(status.facts.node.agent_version if status.facts else None for status in statuses)
    return versions, {one.node.name for one in statuses if one.facts and one.facts.node.cordoned}


def test_a_revision_reaches_every_node(stable: End) -> None:
    assert (stable.code, stable.rollout["state"]) == (0, "successful"), stable.rollout
    assert stable.states() == {"healthy": NODES}
    assert as_it_is() == ({"0.2.0": NODES}, set())


def test_three_in_a_hundred_take_it_back_from_all(stable: End, tmp_path: Path) -> None:
    given = spoil("unhealthy-on=0.3.0", "dead")
    sick, dead = with_fault(given, "unhealthy-on=0.3.0"), with_fault(given, "dead")
    end = roll(tmp_path, "0.3.0", auto_revert=True)
    assert (end.code, end.rollout["state"]) == (1, "failed"), end.rollout
    assert f"failed on {min(given)}" in end.rollout["reason"]
    # Every node: taken back, silent, or never touched and said so.
    assert len(end.nodes) == NODES
    states = {name: node["state"] for name, node in end.nodes.items()}
    assert set(states.values()) == {"reverted", "skipped", "unreachable"}
    assert {name for name, state in states.items() if state == "unreachable"} <= dead
    assert {states[name] for name in sick} <= {"reverted", "skipped"}
    assert all(node["reason"] for node in end.nodes.values() if node["state"] != "reverted")
    assert as_it_is() == ({"0.2.0": NODES - len(dead), None: len(dead)}, set())


@pytest.mark.skipif(NODES < 1000, reason="silent nodes take their time: make rehearse")
def test_where_failures_are_allowed_each_is_in_the_record_with_its_reason(stable: End, tmp_path: Path) -> None:
    given = spoil("unhealthy-on=0.4.0", "dead", "hang")
    sick = with_fault(given, "unhealthy-on=0.4.0")
    silent = given.keys() - sick
    end = roll(tmp_path, "0.4.0", failure_action="continue", max_parallel=[1, "25%"])
    assert (end.code, end.rollout["state"]) == (3, "successful"), end.rollout
    states = {name: node["state"] for name, node in end.nodes.items()}
    assert {name for name, state in states.items() if state == "unreachable"} == silent
    assert {name for name, state in states.items() if state == "failed"} == sick
    assert end.states()["healthy"] == NODES - len(given)
    assert all(end.nodes[name]["reason"] for name in given)
    versions, cordoned = as_it_is()
    assert versions == {"0.4.0": NODES - len(silent), None: len(silent)}
    assert cordoned == sick  # changed and not proven: no job meets them
