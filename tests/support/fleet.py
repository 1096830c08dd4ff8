"""A lab of a test suite's own, and the product's commands as a user would type them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from support.nodes import Node, nodes_of
from support.repo import ROOT

BIN = Path(sys.executable).parent

Recap = dict[str, dict[str, int]]
_SWITCH = """
import sys
from npufleet_lab import nodes
from npufleet_lab.lab import Lab
machine = Lab().node(sys.argv[2])
machine.container.kill() if sys.argv[1] == "off" else nodes.start(machine)
"""


@dataclass(frozen=True)
class Fleet:
    inventory: Path
    nodes: list[Node]
    environment: dict[str, str]

    def command(self, *arguments: str, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / arguments[0]), *arguments[1:]],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on while the test does something to the nodes."""
        return subprocess.Popen(
            [str(BIN / arguments[0]), *arguments[1:]],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def playbook(self, name: str, *options: str) -> tuple[subprocess.CompletedProcess[str], Recap]:
        """Run a playbook; give the process and its recap by node."""
        done = self.command("ansible-playbook", "-i", str(self.inventory), name, *options)
        recap = {
            match["node"]: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", match["counts"])}
            for match in re.finditer(r"^(?P<node>[\w.-]+)\s+: (?P<counts>ok=.*)$", done.stdout, re.MULTILINE)
        }
        return done, recap

    def npufleet(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run the CLI with --json; give its exit code and its envelope."""
        done = self.command("npufleet", "-i", str(self.inventory), "--json", *arguments)
        assert done.stdout.strip(), done.stderr
        return done.returncode, json.loads(done.stdout)

    def overlaid(self, folder: Path, variables: dict[str, dict[str, Any]]) -> Fleet:
        """The same nodes in an inventory of its own, where some have other variables."""
        content = yaml.safe_load((self.inventory / "hosts.yml").read_text(encoding="utf-8"))
        for name, own in variables.items():
            content["npu_nodes"]["hosts"][name].update(own)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return replace(self, inventory=folder)

    def variable(self, node: Node, name: str) -> Any:
        """What the lab's inventory says of one node."""
        group = yaml.safe_load((self.inventory / "hosts.yml").read_text(encoding="utf-8"))["npu_nodes"]
        return {**group["vars"], **group["hosts"][node.name]}[name]

    def power_off(self, node: Node) -> None:
        """As if the plug was pulled; it stays down until it is switched on."""
        self._switch("off", node)

    def power_on(self, node: Node) -> None:
        self._switch("on", node)

    def _switch(self, way: str, node: Node) -> None:
        """In a process of its own: the engine's client leaves sockets behind, for which pytest fails a later test."""
        done = self.command("python", "-c", _SWITCH, way, node.name)
        assert done.returncode == 0, done.stdout + done.stderr

    def fault(self, node: Node, *words: str) -> None:
        done = self.command("npufleet", "lab", "fault", node.name, *words)
        assert done.returncode == 0, done.stdout + done.stderr


def failures(done: subprocess.CompletedProcess[str]) -> str:
    """What a reader of a failed playbook wants first: the failed tasks, then how it ended."""
    tasks = re.split(r"^(?=(?:TASK|PLAY) )", done.stdout, flags=re.MULTILINE)
    failed = [task for task in tasks if re.search(r"^(?:fatal|failed): ", task, re.MULTILINE)]
    return "\n".join([*failed, done.stdout[-1500:], done.stderr[-2000:]])


def lab_name(suite: str) -> str:
    """Each suite has a lab of its own; a prefix keeps two checkouts on one machine apart."""
    return os.environ.get("NPUFLEET_TEST_LABS", "") + suite


@contextmanager
def booted(suite: str, *up_options: str) -> Iterator[Fleet]:
    """Boot bare nodes for a suite with the options of `npufleet lab up`, and remove them at the end."""
    name = lab_name(suite)
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "NPUFLEET_LAB_NAME": name,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "NO_COLOR": "1",
    }
    inventory = ROOT / "inventory" / name
    bare = Fleet(inventory, [], environment)
    down = bare.command("npufleet", "lab", "down")
    assert down.returncode == 0, down.stdout + down.stderr
    up = bare.command("npufleet", "lab", "up", *up_options, timeout_s=1800)
    assert up.returncode == 0, up.stdout + up.stderr
    yield Fleet(inventory, nodes_of(inventory), environment)
    if not os.environ.get("NPUFLEET_KEEP_LAB"):
        bare.command("npufleet", "lab", "down")
