"""What the simulated NPUs are like at the moment: one JSON file that every simulated tool reads at every call."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from . import events
from .chips import FAMILIES, ChipFamily

STATE_FILE = Path("/var/lib/npufleet-lab/npu.json")
State = dict[str, Any]

# Tools of the whole node can misbehave; an NPU's own condition is in its record.
NO_FAULTS = {
    "hang": False,
    "slow_s": 0.0,
    "garbage": None,
    "occupied": False,
    "not_ready": False,
    "cut": False,
    "dropped": [],
}


def initial(chip: str, driver: str, number: int = 1) -> State:
    """A node whose NPUs are all idle and well; `number` is the node's, its NPUs' network addresses follow from it."""
    family = FAMILIES[chip]
    npus = []
    for card, buses in family.places:
        for index, bus in enumerate(buses):
            npus.append(_npu(family, len(npus), card, index, bus, number))
    told = {"number": number, "chip": chip, "driver": driver, "tool": driver}
    return {**told, "npus": npus, "processes": [], "faults": dict(NO_FAULTS)}


def _npu(family: ChipFamily, npu: int, card: int, chip: int, bus: str, number: int) -> dict[str, Any]:
    # The second die of a card reports no power of its own.
    power = "NA" if family.power is None else ("-" if chip else family.power)
    return {
        "npu": npu, "card": card, "chip": chip, "name": family.name, "bus_id": bus,
        "power": power, "temperature": family.temperature, "aicore": 0, "hugepages": [0, 0],
        "memory": list(family.memory), "hbm": list(family.hbm), "aicore_count": family.aicore_count,
        "codes": [], "health": None,
        "roce": {
            "address": f"10.{200 + npu % 4}.{number}.{10 + npu}", "netmask": "255.255.0.0",
            "gateway": f"10.{200 + npu % 4}.0.1", "link": "UP", "net_health": "Success",
        },
    }  # fmt: skip


def read(path: Path = STATE_FILE) -> State:
    state: State = json.loads(path.read_text())
    return state


def write(state: State, path: Path = STATE_FILE) -> None:
    """Replace the file as a whole: a tool that reads at this moment sees the old state or the new one."""
    handle, temporary = tempfile.mkstemp(dir=str(path.parent))
    with os.fdopen(handle, "w") as file:
        json.dump(state, file, indent=1)
    os.chmod(temporary, 0o644)  # noqa: PTH101 - mkstemp gave a plain string
    os.replace(temporary, str(path))  # noqa: PTH105 - as above


def family(state: State) -> ChipFamily:
    return FAMILIES[state["chip"]]


def visible(state: State) -> list[dict[str, Any]]:
    """The NPUs that are still on the bus."""
    dropped = set(state["faults"]["dropped"])
    return [npu for npu in state["npus"] if npu["npu"] not in dropped]


def health_word(npu: dict[str, Any]) -> str:
    """What the table prints: what was asked for, else the worst of the NPU's events."""
    return npu["health"] or events.worst(npu["codes"])
