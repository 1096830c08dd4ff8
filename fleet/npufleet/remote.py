"""SSH to nodes through Fabric, reached and trusted as the inventory's Ansible variables say."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npufleet.inventory import Node

if TYPE_CHECKING:
    from fabric import Connection

CONNECT_S = 15
_STRICT_OFF = ("no", "off")
_NEW_ONLY = ("accept-new",)


def options(arguments: str) -> Iterator[tuple[str, str]]:
    """Read ansible_ssh_common_args as ssh would: -o KEY=VALUE, and the short options that have a key."""
    keys = {"-J": "ProxyJump", "-i": "IdentityFile", "-p": "Port", "-l": "User"}
    words = iter(shlex.split(arguments))
    for word in words:
        if word == "-o" or word in keys:
            value = next(words, "")
            told = value if word == "-o" else f"{keys[word]}={value}"
        elif word.startswith("-o"):
            told = word[2:]
        else:
            continue
        key, _, value = re.sub(r"\s*=\s*|\s+", "=", told.strip(), count=1).partition("=")
        yield key, value


def connect(node: Node) -> Connection:
    """A connection that opens at its first use. Paramiko is imported late: no other verb should wait 0.3 s for it."""
    from fabric import Config, Connection  # noqa: PLC0415  # see above

    told = list(options(node.ssh.arguments))
    lines = ["Host *", *(f"  {key} {value}" for key, value in told)]
    paramiko = importlib.import_module("paramiko")
    user_file = Path.home() / ".ssh/config"
    own = user_file.read_text(encoding="utf-8", errors="replace") if user_file.is_file() else ""
    config = Config(ssh_config=paramiko.SSHConfig.from_text("\n".join([*lines, own])))
    keys: dict[str, Any] = {"key_filename": [node.ssh.key]} if node.ssh.key else {}
    connection = Connection(
        node.ssh.host, user=node.ssh.user, port=node.ssh.port, config=config, connect_timeout=CONNECT_S,
        connect_kwargs=keys,
    )  # fmt: skip
    _trust(connection.client, {key.lower(): value for key, value in told}, paramiko)
    return connection


def _trust(client: Any, told: dict[str, str], paramiko: Any) -> None:
    """Fabric would take any host for the node; here it must be the known one, as with ssh itself."""
    files = shlex.split(told.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2"))
    for name in ("/etc/ssh/ssh_known_hosts", *files):
        path = Path(name).expanduser()
        if path.is_file():
            client.load_system_host_keys(str(path))
    strict = told.get("stricthostkeychecking", "yes").lower()
    lenient = strict in {*_STRICT_OFF, *_NEW_ONLY}
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy() if lenient else paramiko.RejectPolicy())


# What is started must end with the connection, be it by Ctrl-C here, a time limit or a cut cable: then the standard
# input closes, and a guard beside the command ends it and what it has started.
_GUARDED = (
    'exec 3<&0; setsid sh -c "$1" 3<&- </dev/null & p=$!;'
    " (cat <&3; kill -TERM -$p; sleep 5; kill -KILL -$p) >/dev/null 2>&1 & w=$!;"
    " exec 3<&-; wait $p; c=$?; kill $w 2>/dev/null; exit $c"
)


def guarded(command: str, *, container: str | None = None, sudo: bool = False) -> str:
    """The line for the node's shell. In a container the guard runs inside it, beside the command."""
    inner = f"sh -c {shlex.quote(_GUARDED)} npufleet-exec {shlex.quote(command)}"
    line = f"docker exec -i {shlex.quote(container)} {inner}" if container else inner
    return f"sudo -n {line}" if sudo else line


def needs_sudo(node: Node) -> bool:
    become = node.variables.get("ansible_become")
    return str(become).lower() in {"true", "yes", "1"} and node.ssh.user not in {None, "root"}


def words(command: Sequence[str]) -> str:
    """One word is a line for the shell; several are a program and its arguments, kept apart."""
    return command[0] if len(command) == 1 else shlex.join(command)
