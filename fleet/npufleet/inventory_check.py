"""Finds in an inventory what Ansible takes in silence: each finding says where, why it matters, and what to do."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npu_agent.api import DEFAULT_PORT
from npufleet import known_hosts
from npufleet.inventory import GROUP, did_you_mean, hosts_of
from npufleet.role_inputs import Inputs

ERROR = "error"
WARNING = "warning"
# What the fleet side itself reads of a node: it does so without Ansible's templates.
PLAIN = ("ansible_host", "ansible_port", "agent_address", "agent_port")
OURS = ("fleet_notice",)
_VARS = ("group_vars", "host_vars")


@dataclass(frozen=True)
class Finding:
    severity: str
    code: str
    text: str
    remedy: str
    nodes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "severity": self.severity, "code": self.code, "text": self.text, "remedy": self.remedy,
            "nodes": list(self.nodes),
        }  # fmt: skip


@dataclass(frozen=True)
class Source:
    """What `ansible-inventory --list` printed, where it was read from, and what the roles take."""

    document: Mapping[str, Any]
    folder: Path
    inputs: Inputs

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(hosts_of(self.document, GROUP)))

    def variables(self, node: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document.get("_meta", {}).get("hostvars", {}).get(node, {})
        return found

    def address(self, node: str) -> str:
        return str(self.variables(node).get("ansible_host") or node)


def check(source: Source) -> list[Finding]:
    checks: Sequence[Callable[[Source], Iterator[Finding]]] = (
        _outsiders, _names, _variables, _templates, _ports, _addresses, _twins, _pki, _host_keys,
    )  # fmt: skip
    found = [finding for one in checks for finding in one(source)]
    return sorted(found, key=lambda finding: finding.severity != ERROR)


def _outsiders(source: Source) -> Iterator[Finding]:
    everybody = {host for group in source.document if group != "_meta" for host in hosts_of(source.document, group)}
    if outside := sorted(everybody - set(source.nodes)):
        yield Finding(
            WARNING, "outside", f"Not in group {GROUP}, so npufleet passes them over: {_some(outside)}.",
            f"If they are NPU servers, put them or their group below {GROUP}.", tuple(outside),
        )  # fmt: skip


def _names(source: Source) -> Iterator[Finding]:
    """A file in group_vars or host_vars that is named after nothing is never read."""
    groups = {group for group in source.document if group != "_meta"} | {
        child for entry in source.document.values() for child in entry.get("children", [])
    }
    hosts = {host for group in groups for host in hosts_of(source.document, group)}
    for folder, known in zip(_VARS, (groups | {"all", "ungrouped"}, hosts), strict=True):
        for path in sorted((source.folder / folder).glob("*")):
            if path.stem not in known and path.name not in known and not path.name.startswith("."):
                kind = "group" if folder == "group_vars" else "host"
                yield Finding(
                    ERROR, f"{kind}-unknown", f"{folder}/{path.name} is never read: there is no {kind} {path.stem}.",
                    f"Rename or remove it.{did_you_mean(path.stem, known)}",
                )  # fmt: skip


def _variables(source: Source) -> Iterator[Finding]:
    """Ansible takes every name; a misspelt one changes nothing, and nobody is told."""
    users: dict[str, list[str]] = {}
    for node in source.nodes:
        for name in source.variables(node):
            users.setdefault(name, []).append(node)
    known = source.inputs
    for name, nodes in sorted(users.items()):
        if name in known.types or name in OURS or name.startswith("ansible_"):
            yield from _of_type(source, name, nodes)
            continue
        role = next((role for role in known.roles if name.startswith(f"{role}_")), None)
        near = did_you_mean(name, known.types)
        if role or near:
            where = _places(source.folder, name)
            whose = f"the role {role} has no such input" if role else "no role has such an input"
            yield Finding(
                ERROR if role else WARNING, "variable-unknown", f"{name}{where} does nothing: {whose}.",
                f"Correct or remove it.{near} See roles/{role}/README.md." if role else f"Correct it.{near}",
                tuple(nodes),
            )  # fmt: skip


def _of_type(source: Source, name: str, nodes: Sequence[str]) -> Iterator[Finding]:
    kind = source.inputs.types.get(name, "")
    wrong = [node for node in nodes if not _fits(source.variables(node)[name], kind)]
    if wrong:
        value = source.variables(wrong[0])[name]
        yield Finding(
            ERROR, "variable-type", f"{name}{_places(source.folder, name)} is {value!r}, and the role wants {kind}.",
            f"Write it as {kind}.", tuple(wrong),
        )  # fmt: skip


def _fits(value: Any, kind: str) -> bool:
    """As Ansible would convert it; a template is not known before the playbook runs."""
    if (
        value is None
        or (isinstance(value, str) and "{{" in value)
        or (isinstance(value, dict) and "__ansible_vault" in value)
    ):
        return True
    if kind == "int":
        return isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"-?\d+", value.strip()) is not None)
    if kind == "bool":
        words = {"yes", "no", "true", "false", "on", "off", "1", "0", "y", "n", "t", "f"}
        return isinstance(value, bool) or str(value).lower() in words
    if kind == "dict":
        return isinstance(value, dict)
    return kind != "list" or isinstance(value, (list, str, int))


def _templates(source: Source) -> Iterator[Finding]:
    for name in PLAIN:
        nodes = tuple(node for node in source.nodes if "{{" in str(source.variables(node).get(name, "")))
        if nodes:
            yield Finding(
                ERROR, "template", f"{name} is a template, which only a running playbook can fill in.",
                "Write the value itself; npufleet asks the agents without a playbook.", nodes,
            )  # fmt: skip


def _ports(source: Source) -> Iterator[Finding]:
    for name in ("ansible_port", "agent_port"):
        values = {node: str(source.variables(node).get(name, DEFAULT_PORT)) for node in source.nodes}
        bad = {node: value for node, value in values.items() if "{{" not in value and not _is_port(value)}
        if bad:
            yield Finding(
                ERROR,
                "port",
                f"{name} is no port: {_some(sorted(set(bad.values())))}.",
                "Set it to 1-65535.",
                tuple(bad),
            )


def _is_port(value: str) -> bool:
    return value.isdecimal() and 0 < int(value) < 65536


def _addresses(source: Source) -> Iterator[Finding]:
    names = {source.address(node) for node in source.nodes} | {
        str(source.variables(node).get("agent_address") or source.address(node)) for node in source.nodes
    }
    unknown = _unresolved(sorted(name for name in names if "{{" not in name))
    lost = [node for node in source.nodes if source.address(node) in unknown]
    if lost:
        yield Finding(
            ERROR, "address-missing", "They have no ansible_host, or one that is no name here: nothing can reach them.",
            "Set ansible_host to an address, or make the name known to DNS.", tuple(lost),
        )  # fmt: skip
    away = [node for node in source.nodes if str(source.variables(node).get("agent_address")) in unknown]
    if away:
        yield Finding(ERROR, "address-missing", "agent_address cannot be resolved.", "Write an address.", tuple(away))


def _unresolved(names: Sequence[str]) -> set[str]:
    def lost(name: str) -> bool:
        try:
            socket.getaddrinfo(name, None)
        except (OSError, UnicodeError):
            return True
        return False

    with ThreadPoolExecutor(32) as pool:
        return {name for name, is_lost in zip(names, pool.map(lost, names), strict=True) if is_lost}


def _twins(source: Source) -> Iterator[Finding]:
    """Two names for one server: a rollout would take it for two, and count it twice."""
    for what, port, default in (("ansible_host", "ansible_port", 22), ("agent_address", "agent_port", DEFAULT_PORT)):
        users: dict[tuple[str, str], list[str]] = {}
        for node in source.nodes:
            variables = source.variables(node)
            address = source.address(node) if what == "ansible_host" else variables.get(what) or source.address(node)
            users.setdefault((str(address), str(variables.get(port, default))), []).append(node)
        twins = {where: nodes for where, nodes in users.items() if len(nodes) > 1 and "{{" not in where[0]}
        for (address, number), nodes in twins.items():
            yield Finding(
                ERROR, "address-twice", f"{address} port {number} is the address of {_some(nodes)}.",
                f"Correct {what}, or remove the second name.", tuple(nodes),
            )  # fmt: skip


def _pki(source: Source) -> Iterator[Finding]:
    pki = source.folder / "pki"
    missing = [name for name in ("ca.crt", "fleet.secret") if not (pki / name).is_file()]
    if missing:
        yield Finding(
            WARNING, "pki-missing", f"{pki} has no {' and no '.join(missing)}: no agent can be asked.",
            "npufleet prepare makes them; where the fleet is prepared already, restore the folder from its backup.",
        )  # fmt: skip
    for name in ("fleet.secret", "ca.key"):
        path = pki / name
        if path.is_file() and path.stat().st_mode & 0o077:
            yield Finding(
                ERROR, "pki-open", f"Others can read {path}.", f"chmod 600 {path}; then make new ones if they may have."
            )


def _host_keys(source: Source) -> Iterator[Finding]:
    reached = {
        node: known_hosts.Target(
            source.address(node), str(source.variables(node).get("ansible_port", 22)),
            str(source.variables(node).get("ansible_ssh_common_args", "")),
        )
        for node in source.nodes
        if source.variables(node).get("ansible_connection", "ssh") in {"ssh", "smart"}
    }  # fmt: skip
    strange = known_hosts.unknown(reached)
    if strange:
        addresses = " ".join(reached[node].address for node in strange[:5])
        yield Finding(
            WARNING, "host-key-missing", "No known_hosts file has their host key: Ansible will not log in.",
            f"Over a network that you trust: ssh-keyscan -H {addresses}{' ...' if strange[5:] else ''}"
            " >> ~/.ssh/known_hosts", tuple(strange),
        )  # fmt: skip


def _places(folder: Path, name: str) -> str:
    """Where a variable is written, as far as a look into the files tells."""
    word = re.compile(rf"^\s*[\"']?{re.escape(name)}[\"']?\s*[:=]|\b{re.escape(name)}=", re.MULTILINE)
    for path in sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix in {"", ".yml", ".yaml", ".ini"}
    ):
        if {"pki", "runs"} & set(path.relative_to(folder).parts):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if found := word.search(text):
            line = text.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip())) + 1
            return f" ({path.relative_to(folder)}:{line})"
    return ""


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
