"""What the lab is like now, for eyes and for programs."""

from __future__ import annotations

import json
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from npufleet_lab import nodes
from npufleet_lab.config import LabConfig
from npufleet_lab.errors import LabError
from npufleet_lab.node.state import NO_FAULTS, STATE_FILE, health_word
from npufleet_lab.nodes import Node


def view(found: list[Node]) -> Group:
    """A table that fits 80 columns, two lines a node, one per network; below it what is wrong on purpose."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in ("node", "state", "system", "NPUs", "network", "faults"):
        table.add_column(heading, no_wrap=True)
    told = []
    for node in found:
        spec = node.spec
        networks = f"{node.management_address} {spec.management_interface}\n{node.peer_address} {spec.peer_interface}"
        faults = describe_faults(_state(node))
        told += [Text(f"{node.name}: {fault}") for fault in faults]
        count = str(len(faults) or "none") if node.running else "unknown"
        table.add_row(node.name, node.container.status, spec.os, f"{spec.chip}\n{spec.driver}", networks, count)
    return Group(table, *told)


def document(config: LabConfig, found: list[Node]) -> dict[str, Any]:
    data = {
        "lab": config.name,
        "inventory": str(config.inventory_dir / "hosts.yml"),
        "ssh_key": str(nodes.user_key(config).private) if found else None,
        "nodes": [_node(node) for node in found],
    }
    # The same envelope as every other command of the fleet's command line.
    envelope = {"schema": "npufleet/v1", "command": "lab status", "ok": True, "exit_code": 0}
    return {**envelope, "data": data, "messages": [], "errors": []}


def _node(node: Node) -> dict[str, Any]:
    spec = node.spec
    return {
        "name": node.name,
        "state": node.container.status,
        "os": spec.os,
        "chip": spec.chip,
        "driver": spec.driver,
        "container": node.container.name,
        "management": {"address": node.management_address, "interface": spec.management_interface},
        "peer": {"address": node.peer_address, "interface": spec.peer_interface},
        "npu_smi": spec.npu_smi,
        "faults": describe_faults(_state(node)) if node.running else None,
    }


def _state(node: Node) -> dict[str, Any]:
    if not node.running:
        return {}
    code, output = node.execute(["cat", str(STATE_FILE)])
    try:
        return dict(json.loads(output)) if code == 0 else {}
    except ValueError:
        raise LabError(
            f"The state of {node.name} cannot be read: {output[:60]!r}.", "Boot it anew: npufleet lab restart."
        ) from None


def _describe(key: str, value: Any) -> str:
    if key == "dropped":
        return f"npu {', '.join(str(npu) for npu in value)} off the bus"
    return key.replace("_", "-") if value is True else f"{key.removesuffix('_s')} {value}"


def describe_faults(state: dict[str, Any]) -> list[str]:
    """What is simulated to be wrong, in short words; empty for a node that is well."""
    told = []
    for key, usual in NO_FAULTS.items():
        value = state.get("faults", {}).get(key, usual)
        if value != usual:
            told.append(_describe(key, value))
    for npu in state.get("npus", []):
        if npu["codes"] or npu["health"] not in {None, "OK"}:
            told.append(f"npu {npu['npu']} {health_word(npu)} {' '.join(npu['codes'])}".rstrip())
        if npu["roce"]["link"] != "UP":
            told.append(f"npu {npu['npu']} link {npu['roce']['link']}")
    return told + [f"process {process['pid']} on npu {process['npu']}" for process in state.get("processes", [])]
