"""Puts faults into a node, and takes them out again."""

from __future__ import annotations

from collections.abc import Sequence

from npufleet_lab.errors import LabError, LabUsageError
from npufleet_lab.node.faults import FaultError, parse
from npufleet_lab.node_files import LIBRARY
from npufleet_lab.nodes import Node


def inject(node: Node, words: Sequence[str]) -> str:
    """Break or heal the node; returns one sentence about what is true now."""
    try:
        fault = parse(words)
    except FaultError as error:
        raise LabUsageError(str(error)) from error
    if not node.running:
        raise LabError(f"Node {node.name} does not run.", "Start it with `npufleet lab up`.")
    status, output = node.execute([f"{LIBRARY}/fault", *words])
    if status != 0:
        raise LabUsageError(output.strip())
    if fault.kind == "cut":
        _set_link(node, "down")
        return f"{node.name}: cut off from the management network."
    if fault.kind == "heal" and fault.npu is None:
        _set_link(node, "up")
    what = "healed" if fault.kind == "heal" else " ".join(words)
    return f"{node.name}: {what}."


def _set_link(node: Node, direction: str) -> None:
    """The management interface: the address stays, and with it the route back once the link is up again."""
    status, output = node.execute(["ip", "link", "set", node.spec.management_interface, direction])
    if status != 0:
        raise LabError(f"The interface of {node.name} could not be set {direction}: {output.strip()}")
