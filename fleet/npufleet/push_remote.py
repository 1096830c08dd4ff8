"""The node's side of a push: small shell lines over OpenSSH, which every node that Ansible reaches has.

OpenSSH's own pipe carries the data: it is what scp is made of, and it asks nothing of the node but a shell.
"""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from npufleet import run
from npufleet.inventory import Node

SHORT_S = 60.0
HASH_S = 3600.0
PART = ".npufleet-part"


@dataclass(frozen=True)
class Shell:
    """SSH to one node; its files share one connection."""

    node: Node
    sockets: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="npufleet-ssh-")))

    def command(self, line: str) -> list[str]:
        return [*self.ssh(), self.target, line]

    @property
    def target(self) -> str:
        ssh = self.node.ssh
        return f"{ssh.user}@{ssh.host}" if ssh.user else ssh.host

    def ssh(self) -> list[str]:
        ssh = self.node.ssh
        shared = ["-o", "ControlMaster=auto", "-o", f"ControlPath={self.sockets}/%C", "-o", "ControlPersist=30"]
        given = [*(["-p", str(ssh.port)] if ssh.port else []), *(["-i", ssh.key] if ssh.key else [])]
        alive = ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
        return ["ssh", "-o", "BatchMode=yes", *alive, *shared, *given, *shlex.split(ssh.arguments)]

    def ask(self, line: str, timeout_s: float = SHORT_S) -> run.Output:
        return run.capture(self.command(line), environment={}, timeout_s=timeout_s)


def sizes(path: str) -> str:
    """Print the size of the file and of its part, - where there is none."""
    both = (shlex.quote(path), shlex.quote(path + PART))
    return "; ".join(f"if [ -f {one} ]; then stat -c %s {one}; else echo -; fi" for one in both)


def checksum(path: str, count: int | None = None) -> str:
    quoted = shlex.quote(path)
    return f"sha256sum < {quoted}" if count is None else f"head -c {count} {quoted} | sha256sum"


def receive(path: str, offset: int) -> str:
    """Go on behind what is there. The sum of all of it, made while it arrives, and the size on disk are the answer."""
    part = shlex.quote(path + PART)
    folder = shlex.quote(str(Path(path).parent))
    room = f"mkdir -p {folder} && touch {part} && truncate -s {offset} {part}"
    before = f"head -c {offset} {part}; " if offset else ""
    return f"{room} && {{ {before}tee -a {part}; }} | sha256sum && stat -c %s {part}"


def finish(path: str, mode: int, mtime: int) -> str:
    part, whole = shlex.quote(path + PART), shlex.quote(path)
    return f"chmod {mode:o} {part} && touch -d @{mtime} {part} && sync {part} && mv -f {part} {whole}"
