"""What the agent adds to `docker run`, how fast it adopts, and whether it leaks: `make bench-start` on one lab node.

A start through the agent is a PUT by curl to the answer that says it runs; beside it, by turns on the same node, is
`docker run -d` with the arguments that the agent's own plan comes to.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from bench import measure
from bench.footprint import say
from npufleet.render import docker
from support.fleet import booted, failures
from support.nodes import Node, wait_until
from support.workloads import IMAGE, SLEEP, ready

NAME = "bench"
BESIDE = "beside"
CONTAINERS = 8
RATIO = 1.10
ADOPTED_S = 2.0
# What the heap and SQLite's cache may still grow by after the first hundred; a leak of 5 KiB each would be more.
GROWTH_MIB = 4.0
# Connections come and go: a look at a container's log, a probe. A leak would be hundreds.
MORE = 8
SPEC = {"name": NAME, "image": IMAGE, "npus": [0], "command": SLEEP, "stop_grace_s": 0}


def on_node(node: Node, do: str, rounds: int, **more: Any) -> Any:
    asked = {
        "do": do, "rounds": rounds, "ca": "/etc/npufleet/tls/ca.crt", "url": f"https://{node.address}:{node.port}",
        "token": node.token("operate"), "spec": SPEC, **more,
    }  # fmt: skip
    script = Path(__file__).with_name("on_node.py").read_text(encoding="utf-8")
    node.run(f"cat > /run/bench.py <<'END'\n{script}\nEND")
    done = subprocess.run(
        ["ssh", *node.ssh_arguments, f"root@{node.address}", "python3 /run/bench.py"],
        input=json.dumps(asked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(done.stdout)


def starts(node: Node, rounds: int) -> None:
    plan = node.api("PUT", f"/v1/workloads/{NAME}", params={"dry_run": "1"}, json=SPEC)
    assert plan.status_code == 200, plan.text
    command = docker.arguments(BESIDE, plan.json()["body"])
    found = on_node(node, "pairs", rounds, docker=command, docker_name=BESIDE)["pairs"]
    ours, theirs = statistics.median(a for a, _ in found), statistics.median(b for _, b in found)
    say(f"start through the agent, median of {rounds}", f"{ours * 1000:.0f} ms")
    say("docker run -d of the same arguments, by turns", f"{theirs * 1000:.0f} ms")
    each = statistics.median(a / b for a, b in found)
    text = f"{ours / theirs:.2f} of the medians, {each:.2f} pair by pair"
    say("the agent as a part of docker run", text, f"<= {RATIO:.2f}", met=ours / theirs <= RATIO)


def adoption(node: Node, rounds: int) -> None:
    found = on_node(node, "restarts", rounds, containers=CONTAINERS)
    worst = max(found["seconds"])
    text = f"median {statistics.median(found['seconds']):.2f} s, worst of {rounds} {worst:.2f} s"
    say(f"restart to {CONTAINERS} containers adopted", text, f"<= {ADOPTED_S:g} s", met=worst <= ADOPTED_S)
    untouched = bool(found["untouched"])
    text = "same ids, starts, processes and counts" if untouched else "something was touched"
    say("containers over these restarts", text, "none touched", met=untouched)


def leaks(node: Node, rounds: int) -> None:
    first, last = max(1, rounds // 10), rounds
    found = on_node(node, "many", rounds, look_at=[first, last])
    before, after = (found["looks"][str(number)] for number in (first, last))
    same = before["pid"] == after["pid"]
    say(f"the agent over {rounds} starts and ends", "one process" if same else "another process", "one", met=same)
    grown = (after["resident_kib"] - before["resident_kib"]) / 1024
    text = f"{before['resident_kib'] / 1024:.1f} MiB after {first}, {after['resident_kib'] / 1024:.1f} after {last}"
    say("resident memory", text, f"+ <= {GROWTH_MIB:g} MiB", met=grown <= GROWTH_MIB)
    for key in ("descriptors", "threads"):
        text = f"{before[key]} after {first}, {after[key]} after {last}"
        met = after[key] <= before[key] + MORE
        say(f"open {key}" if key == "descriptors" else key, text, f"+ <= {MORE}", met=met)
    left = after["leases"] + after["workloads"]
    say("leases and workloads left", str(left), "0", met=left == 0)
    tenth = max(1, rounds // 10)
    early, late = statistics.median(found["seconds"][:tenth]), statistics.median(found["seconds"][-tenth:])
    say("a start in the first and the last tenth", f"{early * 1000:.0f} ms, {late * 1000:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=60, help="how many pairs of starts")
    parser.add_argument("--restarts", type=int, default=7, help="how many restarts of the agent")
    parser.add_argument("--cycles", type=int, default=1000, help="how many starts and ends in a row")
    chosen = parser.parse_args()
    with booted("start", "-n", "1", "--os", "debian12") as fleet:
        done, _ = fleet.playbook("site.yml")
        assert done.returncode == 0, failures(done)
        node = fleet.nodes[0]
        wait_until("node ready", 120, partial(ready, node))
        version = node.run("docker version --format '{{.Server.Version}}'").strip()
        print(f"one lab node, Docker {version}, load average {measure.load_average()}\n", flush=True)
        starts(node, chosen.starts)
        adoption(node, chosen.restarts)
        leaks(node, chosen.cycles)
        print(f"load average at the end: {measure.load_average()}")


if __name__ == "__main__":
    main()
