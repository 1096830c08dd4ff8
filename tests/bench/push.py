"""npufleet push beside scp, in turns, to a lab node that has rsync: a large file, the same file changed, a folder.

Run it where nothing else runs: `make bench-push`. The network is this machine's own, so what is measured is the cost
of the programs and of encryption, not of a wire.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.fleet import Fleet, booted  # noqa: E402  # the tests' own folder first
from support.nodes import Node  # noqa: E402  # likewise

LARGE_MIB = 512
FILES = 2000
ROUNDS = 3
TARGET = "/data/bench"


def timed(what: str, command: Callable[[], subprocess.CompletedProcess[str]]) -> float:
    began = time.monotonic()
    done = command()
    took = time.monotonic() - began
    if done.returncode != 0:
        raise SystemExit(f"{what} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return took


def give_rsync(fleet: Fleet, node: Node) -> None:
    hosts = yaml.safe_load((fleet.inventory / "hosts.yml").read_text(encoding="utf-8"))["npu_nodes"]["hosts"]
    source = f"deb [trusted=yes] {hosts[node.name]['docker_repository_url']} ./"
    node.run(
        f"echo '{source}' > /etc/apt/sources.list.d/bench.list && apt-get -q update &&"
        " apt-get install -qy --no-install-recommends rsync",
        timeout_s=300,
    )


def sources(folder: Path) -> tuple[Path, Path]:
    large, code = folder / "large.bin", folder / "code"
    with large.open("wb") as file:
        for _ in range(LARGE_MIB):
            file.write(os.urandom(1 << 20))
    for index in range(FILES):
        path = code / f"part-{index % 20}/file-{index}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4096))
    return large, code


def measure(what: str, fleet: Fleet, node: Node, source: Path, prepare: Callable[[], None]) -> None:
    def push() -> subprocess.CompletedProcess[str]:
        return fleet.command("npufleet", "-i", str(fleet.inventory), "push", str(source), f"{TARGET}/push")

    def scp() -> subprocess.CompletedProcess[str]:
        words = ["scp", "-q", "-r", *node.ssh_arguments, str(source), f"root@{node.address}:{TARGET}/scp"]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    took: dict[str, list[float]] = {"npufleet push": [], "scp": []}
    for _ in range(ROUNDS):
        for name, command in (("npufleet push", push), ("scp", scp)):
            prepare()
            took[name].append(timed(f"{what}: {name}", command))
    ours, theirs = (statistics.median(times) for times in took.values())
    print(f"{what:34}  npufleet push {ours:6.2f} s   scp {theirs:6.2f} s   ratio {ours / theirs:4.2f}", flush=True)


def main() -> None:
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, one lab node, medians of {ROUNDS}"
    )
    with booted("bench-push", "-n", "1", "--os", "debian12") as fleet, tempfile.TemporaryDirectory() as scratch:
        node = fleet.nodes[0]
        give_rsync(fleet, node)
        large, code = sources(Path(scratch))

        def clear() -> None:
            node.run(f"rm -rf {TARGET} && mkdir -p {TARGET}")

        def change() -> None:
            with large.open("r+b") as file:
                file.seek(LARGE_MIB << 19)
                file.write(os.urandom(1 << 20))

        measure(f"{LARGE_MIB} MiB, new", fleet, node, large, clear)
        measure(f"{LARGE_MIB} MiB, 1 MiB of it changed", fleet, node, large, change)
        measure(f"{FILES} files of 4 KiB, new", fleet, node, code, clear)
    if shutil.which("rsync") is None:
        print("rsync is not on this machine: all went through the pipe")


if __name__ == "__main__":
    main()
