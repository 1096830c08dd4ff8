"""Getting into a node: SSH as an operator would, the journal by the back door."""

from __future__ import annotations

from npufleet_lab import nodes
from npufleet_lab.config import LabConfig
from npufleet_lab.errors import LabError
from npufleet_lab.nodes import Node
from npufleet_lab.run import become


def ssh_arguments(config: LabConfig, node: Node, command: list[str]) -> list[str]:
    return [
        "ssh",
        "-i",
        str(nodes.user_key(config).private),
        "-o",
        f"UserKnownHostsFile={config.state_dir / 'ssh' / 'known_hosts'}",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "LogLevel=ERROR",
        f"root@{node.management_address}",
        *command,
    ]


def become_ssh(config: LabConfig, node: Node, command: list[str]) -> None:
    if not node.running:
        raise LabError(f"Node {node.name} does not run.", "Start it with `npufleet lab up`.")
    become(ssh_arguments(config, node, command))


def journal(node: Node, lines: int, unit: str) -> str:
    if not node.running:
        return str(node.container.logs(tail=lines).decode(errors="replace"))
    argv = ["journalctl", "--no-pager", "-n", str(lines), *(["-u", unit] if unit else [])]
    return node.execute(argv)[1].rstrip()
