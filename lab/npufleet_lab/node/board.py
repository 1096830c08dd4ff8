"""`npu-smi info -t board` and `-t topo`: what a card is, and how the NPUs are wired."""

from __future__ import annotations

from typing import Any

from .chips import DEVICE
from .queries import pair
from .state import State, family, visible

_AFFINITY = ("144-167", "144-167", "96-119", "96-119", "0-23", "0-23", "48-71", "48-71")
_LEGEND = """
Legend:

  X    = Self
  SYS  = Path traversing PCIe and NUMA nodes. Nodes are connected through SMP, such as QPI, UPI.
  PHB  = Path traversing PCIe and the PCIe host bridge of a CPU.
  PIX  = Path traversing a single PCIe switch
  PXB  = Path traversing multiple PCIe switches
  HCCS = Connection traversing HCCS.
  NA   = Unknown relationship.
"""
# Drivers of this line print this very spelling.
_LEGEND_A3 = _LEGEND.replace("multiple", "multipul").replace(
    "  NA ", "  SIO  = Path traversing the SIO bus\n  HCCS_SW = Connection traversing HCCS through a switch\n  NA "
)


def card(state: State, npu: dict[str, Any]) -> str:
    values = {
        "NPU ID": npu["card"],
        "Software Version": state["driver"],
        "Firmware Version": state.get("firmware", "7.1.0.11.220"),
        "Compatibility": "OK",
        "Board ID": "0x02",
        "PCB ID": "A",
        "BOM ID": 1,
        "PCIe Bus Info": npu["bus_id"],
        "Slot ID": npu["card"],
        "Class ID": "NA",
        "PCI Vendor ID": "0x19E5",
        "PCI Device ID": "0x" + family(state).pci_device.upper(),
        "Subsystem Vendor ID": "0x0200",
        "Subsystem Device ID": "0x0100",
        "Chip Count": sum(other["card"] == npu["card"] for other in visible(state)),
    }
    return "".join(pair(key, value) for key, value in values.items())


def chip(state: State, npu: dict[str, Any]) -> str:
    die = f"{0x42C711D4 + npu['npu']:08X} 20B03704 4A10C8D4 14CC040A D2102003"
    values: dict[str, object] = {
        "NPU ID": npu["card"],
        "Chip ID": npu["chip"],
        "Chip Type": "Ascend",
        "Chip Name": npu["name"],
        "Chip Version": "V1",
        "Board ID": "0x02",
        "PCB ID": "NA",
        "BOM ID": 1,
        "VDie ID": die,
        "NDie ID": f"{0x27216594 + npu['npu']:08X} 20401010 4E10C8D4 14CC040A A4102003",
        "Chip Position ID": npu["chip"],
        "PCIe Bus Info": npu["bus_id"],
        "Firmware Version": state.get("firmware", "7.1.0.11.220"),
    }
    if family(state).phy_id:
        # The only place where an A3 says which of its kinds it is.
        values["NPU Name"] = "910_9392"
    return "".join(pair(key, value) for key, value in values.items())


def topology(state: State) -> str:
    chips, npus = family(state), visible(state)
    if chips.layout == DEVICE:
        return "This device does not support hccs topo.\n"
    label = "Phy-ID" if chips.phy_id else "NPU"
    names = [f"{label}{npu['npu']}" for npu in npus]
    affinity = not chips.phy_id
    lines = ["\t   " + "".join(f"{name:<11}" for name in names) + "CPU Affinity"] if affinity else _plain_head(names)
    for one, name in zip(npus, names):
        row = f"{name:<11}" + "".join(f"{_link(one, other):<11}" for other in npus)
        lines.append(row + _AFFINITY[one["npu"] % len(_AFFINITY)] if affinity else row.rstrip())
    return "\n".join(lines) + "\n" + (_LEGEND_A3 if chips.phy_id else _LEGEND)


def _plain_head(names: list[str]) -> list[str]:
    return [(" " * 11 + "".join(f"{name:<11}" for name in names)).rstrip()]


def _link(one: dict[str, Any], other: dict[str, Any]) -> str:
    if one is other:
        return "X"
    if one["card"] == other["card"]:
        return "SIO"
    return "HCCS" if one["name"] != "Ascend910" else "HCCS_SW"
