"""Measures a sweep over simulated nodes, cold and warm, beside curl's parallel mode on the same nodes.

Both sides are on this machine and share its cores: the CPU time of the nodes' processes is told apart. Run it where
nothing else runs: `make bench-sweep`, or with counts as arguments: tests/bench/sweep.py 1000 5000.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from npu_agent import api
from npufleet import pki, survey
from npufleet.fleet import Fleet, open_fleet
from npufleet.inventory import Inventory

ROOT = Path(__file__).resolve().parents[2]
NAME = "bench-sweep"
WARM = 5
PARALLEL = 64
_TICK = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def swarm(count: int, *faults: str) -> Iterator[int]:
    command = [str(Path(sys.executable).parent / "npufleet"), "lab", "swarm", "-n", str(count), "--name", NAME]
    command += [word for fault in faults for word in ("--fault", fault)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        if "answer" not in process.stdout.readline():
            raise SystemExit("The simulated fleet did not start; see above.")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def cpu_of_children(parent: int) -> float:
    """Seconds of CPU that the swarm's processes have used; they are children of the command that was started."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                total += int(fields[11]) + int(fields[12])
    return total / _TICK


def resident_mib() -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


Times = tuple[float, float, float]  # seconds on the clock, of CPU here, of CPU in the nodes' processes


def sweep(fleet: Fleet, parent: int, *, once: bool = False) -> tuple[Times, list[survey.NodeStatus]]:
    begun, own, theirs = time.monotonic(), time.process_time(), cpu_of_children(parent)
    statuses = survey.take(fleet, once=once)
    return (time.monotonic() - begun, time.process_time() - own, cpu_of_children(parent) - theirs), statuses


def measure(count: int, *faults: str) -> None:
    with swarm(count, *faults) as parent:
        inventory = ROOT / "inventory" / NAME
        # Each in a process of its own: what the one before it left in memory is not its own.
        for run in (_as_status, _as_top) if not faults else (_as_top,):
            child = os.fork()
            if child == 0:
                run(count, inventory, parent, 1 if faults else WARM)
                sys.stdout.flush()
                os._exit(0)
            if os.waitpid(child, 0)[1] != 0:
                raise SystemExit("the sweep failed; see above")
        if not faults:
            _curl(open_fleet(inventory).inventory, parent)


def _as_status(count: int, inventory: Path, parent: int, _rounds: int) -> None:
    """One look at all nodes, as `npufleet status` does: every connection is closed when its answer is there."""
    times, statuses = sweep(open_fleet(inventory), parent, once=True)
    _say(count, "cold, as status", times, statuses)


def _as_top(count: int, inventory: Path, parent: int, rounds: int) -> None:
    """A look every other second, as `npufleet top` does: connections stay, and the last answers are at hand."""
    fleet = open_fleet(inventory)
    times, statuses = sweep(fleet, parent)
    _say(count, "cold, as top", times, statuses)
    took = []
    for _ in range(rounds):
        times, statuses = sweep(fleet, parent)
        took.append(times)
    _say(count, f"warm, median of {rounds}", sorted(took)[rounds // 2], statuses)


def _say(count: int, what: str, times: Times, statuses: Sequence[survey.NodeStatus]) -> None:
    took, own, theirs = times
    states = {state: sum(status.state == state for status in statuses) for state in ("ready", "unreachable")}
    other = count - sum(states.values())
    print(
        f"{count:6} nodes  npufleet {what:17} {took:6.2f} s  cpu here {own:5.2f} s, nodes {theirs:5.2f} s"
        f"  {resident_mib():4.0f} MiB  {states['ready']} ready, {states['unreachable']} unreachable, {other} other",
        flush=True,
    )


def _curl(inventory: Inventory, parent: int) -> None:
    """Every node has its own token and name: one URL each, with its own header, in one config file."""
    if shutil.which("curl") is None:
        print("curl is not here: nothing to compare with")
        return
    credentials = pki.load(inventory.folder)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curl.conf"
        path.write_text(
            "\nnext\n".join(_request(inventory, credentials, index) for index in range(len(inventory.nodes)))
        )
        path.chmod(0o600)
        command = ["curl", "--parallel", "--parallel-immediate", "--parallel-max", str(PARALLEL), "--config", str(path)]
        begun, before, theirs = time.monotonic(), _children(), cpu_of_children(parent)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        took, theirs = time.monotonic() - begun, cpu_of_children(parent) - theirs
    answers = done.stdout.decode(errors="replace").count('"api_version"')
    print(
        f"{len(inventory.nodes):6} nodes  curl --parallel-max {PARALLEL} (cold) {took:6.2f} s"
        f"  cpu here {_children() - before:5.2f} s, nodes {theirs:5.2f} s  {answers} answers, not read",
        flush=True,
    )


def _request(inventory: Inventory, credentials: pki.Credentials, index: int) -> str:
    node = inventory.nodes[index]
    token = credentials.token(node.name, api.SCOPE_VIEW)
    return "\n".join(
        [
            "silent",
            f'cacert = "{credentials.ca}"',
            f'resolve = "{node.name}:{node.port}:{node.address}"',
            f'header = "Authorization: Bearer {token}"',
            f'url = "https://{node.name}:{node.port}/v1/overview"',
        ]
    )


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(counts: Sequence[int]) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; simulated nodes on this machine, over TLS")
    for count in counts:
        measure(count)
    print("5 % dead and 2 % hanging; the time-out of an answer is 10 s:")
    measure(counts[0], "5% dead", "2% hang")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1000, 5000])
