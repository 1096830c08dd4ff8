"""A no-change site.yml against Ansible's defaults, pyinfra and bare SSH, in turn, on lab nodes."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.fleet import Fleet, booted  # noqa: E402  # the tests' own folder first
from support.nodes import Node  # noqa: E402  # likewise

FOLDER = ROOT / "build/bench-prepare"
DEPLOY = ROOT / "tests/bench/pyinfra_checks/deploy.py"
PYINFRA = ROOT / "build/bench-venv/bin/pyinfra"
# What a newcomer has: no pipelining, 5 forks, all facts gathered at the start of every play.
DEFAULTS = {
    "ANSIBLE_PIPELINING": "False",
    "ANSIBLE_FORKS": "5",
    "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=60s",
}
MANAGED = "find /etc/npufleet /usr/local/libexec/npufleet /etc/docker/daemon.json -type f ! -name '*.key'"
SIZES = (1, 2, 4, 8, 16)


class Cost(NamedTuple):
    """Seconds on the clock, and of the control machine's processor."""

    took: float
    cpu: float


def timed(what: str, run: Callable[[], subprocess.CompletedProcess[str]]) -> Cost:
    began, used = time.monotonic(), children()
    done = run()
    cost = Cost(time.monotonic() - began, children() - used)
    print(f"{time.strftime('%H:%M:%S')} {what}: {cost.took:.1f} s", file=sys.stderr, flush=True)
    if done.returncode != 0:
        raise SystemExit(f"{what} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return cost


def children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def site(fleet: Fleet, nodes: list[Node]) -> subprocess.CompletedProcess[str]:
    done, recap = fleet.playbook("site.yml", "--limit", ",".join(node.name for node in nodes))
    changed = {name: counts["changed"] for name, counts in recap.items() if counts["changed"]}
    if changed:
        raise SystemExit(f"not a no-change run: {changed}")
    return done


def defaults(fleet: Fleet, nodes: list[Node]) -> subprocess.CompletedProcess[str]:
    plain = Fleet(fleet.inventory, fleet.nodes, {**fleet.environment, **DEFAULTS})
    names = ",".join(node.name for node in nodes)
    return plain.playbook(str(FOLDER / "defaults" / "site.yml"), "--limit", names)[0]


def write_defaults() -> None:
    """The same playbooks, with facts gathered as Ansible does by default."""
    folder = FOLDER / "defaults"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "playbooks").mkdir(parents=True)
    shutil.copy(ROOT / "site.yml", folder)
    for playbook in (ROOT / "playbooks").glob("*.yml"):
        text = playbook.read_text(encoding="utf-8").replace("gather_facts: false", "gather_facts: true")
        (folder / "playbooks" / playbook.name).write_text(text, encoding="utf-8")


def pyinfra(fleet: Fleet, nodes: list[Node]) -> subprocess.CompletedProcess[str]:
    limits = [word for node in nodes for word in ("--limit", node.name)]
    command = [str(PYINFRA), "-y", *limits, str(FOLDER / "inventory.py"), str(DEPLOY)]
    done = subprocess.run(command, cwd=DEPLOY.parent, capture_output=True, text=True, timeout=900, check=False)
    # It ends with 0 also where it was given no node, or a check stopped the deploy: the last operation tells.
    last = done.stdout.partition("from the control machine")[2] + done.stderr.partition("from the control machine")[2]
    missed = [node.name for node in nodes if not re.search(rf"\[{re.escape(node.name)}\]\s+Success", last)]
    if missed:
        raise SystemExit(f"pyinfra did not come to its end on {missed}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done


def write_pyinfra(fleet: Fleet) -> None:
    """An inventory for pyinfra, and each node's own files as the sources it compares with."""
    hosts: list[tuple[str, dict[str, str]]] = []
    plan: dict[str, Any] = {"files": {}, "links": {}, "interfaces": {}, "peer": ""}
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(keep_all, fleet.nodes))
    for node, files in zip(fleet.nodes, kept, strict=True):
        plan["files"][node.name] = files
        target = node.run("readlink /opt/npufleet/agent/current").strip()
        plan["links"][node.name] = [{"path": "/opt/npufleet/agent/current", "target": target}]
        nic = json.loads(node.run("cat /etc/npufleet/facts.d/nic.json"))
        plan["interfaces"][node.name] = nic["interface"]
        plan["peer"] = plan["peer"] or str(nic["address"]).rsplit(".", 1)[0] + ".250"
        options = shlex.split(" ".join(node.ssh_arguments))
        known = next(option.partition("=")[2] for option in options if option.startswith("UserKnownHostsFile="))
        data = {
            "ssh_hostname": node.address, "ssh_user": "root", "ssh_key": options[options.index("-i") + 1],
            "ssh_known_hosts_file": known, "ssh_strict_host_key_checking": "yes", "folder": str(FOLDER),
        }  # fmt: skip
        hosts.append((node.name, data))
    (FOLDER / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (FOLDER / "inventory.py").write_text(f"npu_nodes = {hosts!r}\n", encoding="utf-8")


def keep_all(node: Node) -> list[dict[str, str]]:
    folder = FOLDER / "files" / node.name
    folder.mkdir(parents=True, exist_ok=True)
    return [keep(node, folder, path) for path in node.run(MANAGED).split()]


def keep(node: Node, folder: Path, path: str) -> dict[str, str]:
    source = folder / path.strip("/").replace("/", "_")
    source.write_text(node.run(f"cat {path}"), encoding="utf-8")
    return {"path": path, "source": str(source), "mode": node.run(f"stat -c %a {path}").strip()}


def remote_calls(fleet: Fleet) -> int:
    """How often site.yml goes to one node over SSH."""
    done, _ = fleet.playbook("site.yml", "--limit", fleet.nodes[0].name, "-vvv")
    return len(re.findall(rf"^<{re.escape(fleet.nodes[0].address)}> SSH: EXEC", done.stdout, re.MULTILINE))


def round_trips(nodes: list[Node], calls: int) -> Cost:
    """As many calls of `true` to each node, nodes side by side, over one kept connection each."""
    kept = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={FOLDER}/%h"]

    def call_all(node: Node) -> None:
        for _ in range(calls):
            command = ["ssh", *node.ssh_arguments, *kept, f"root@{node.address}", "true"]
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    began, used = time.monotonic(), children()
    with ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(call_all, nodes))
    return Cost(time.monotonic() - began, children() - used)


def compare(fleet: Fleet, rounds: int, slow_rounds: int) -> None:
    nodes = fleet.nodes[:8]
    calls = remote_calls(fleet)
    costs: dict[str, list[Cost]] = {"a": [], "b": [], "c": [], "d": []}
    for turn in range(rounds):
        costs["a"].append(timed("site.yml", lambda: site(fleet, nodes)))
        costs["c"].append(timed("pyinfra", lambda: pyinfra(fleet, nodes)))
        costs["d"].append(round_trips(nodes, calls))
        if turn < slow_rounds:
            costs["b"].append(timed("site.yml with defaults", lambda: defaults(fleet, nodes)))
    middle = {key: statistics.median(cost.took for cost in found) for key, found in costs.items()}
    print(f"no-change run on {len(nodes)} nodes, {rounds} rounds in turn (b: {slow_rounds}), median s (min-max):")
    words = {
        "a": "site.yml, changed=0",
        "b": "the same playbooks with Ansible's defaults",
        "c": "pyinfra, the same checks",
        "d": f"bare SSH: {calls} x true a node",
    }
    for key, text in words.items():
        times = [cost.took for cost in costs[key]]
        cpu = statistics.median(cost.cpu for cost in costs[key])
        print(f"  {key} {text:44} {middle[key]:6.1f}  ({min(times):.1f}-{max(times):.1f})   cpu here {cpu:5.1f} s")
    print("  " + "   ".join(f"a/{key} {middle['a'] / middle[key]:.2f}" for key in "cbd"))


def scale(fleet: Fleet, rounds: int) -> None:
    print("cost per node of a no-change site.yml, median of", rounds)
    sizes = [size for size in SIZES if size <= len(fleet.nodes)]
    found: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            found[size].append(timed(f"site.yml on {size}", lambda size=size: site(fleet, fleet.nodes[:size])).took)  # type: ignore[misc]
    before = 0, 0.0
    for size in sizes:
        middle = statistics.median(found[size])
        added = (middle - before[1]) / (size - before[0])
        print(f"  {size:3} nodes {middle:6.1f} s   {middle / size:5.2f} s a node   {added:5.2f} s for each node added")
        before = size, middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow-rounds", type=int, default=1)
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with booted("bench", "-n", str(options.nodes)) as fleet:
        done, _ = fleet.playbook("site.yml")
        if done.returncode != 0:
            raise SystemExit(done.stdout[-3000:])
        write_defaults()
        write_pyinfra(fleet)
        machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
        print(f"{machine}; nodes and control machine share them")
        compare(fleet, options.rounds, options.slow_rounds)
        scale(fleet, options.rounds)


if __name__ == "__main__":
    main()
