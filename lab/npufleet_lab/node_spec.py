"""What a node is asked to be, and the names and numbers that follow from its place in the lab."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from npufleet_lab.errors import LabUsageError
from npufleet_lab.node.chips import FAMILIES
from npufleet_lab.systems import SYSTEMS, image_of

_DRIVER = re.compile(r"^2[2-9]\.\d+(\.\w+)+$")

# Odd on purpose, and different on every node: nothing may guess an interface's name.
_MANAGEMENT = ("enp189s0f0", "enp23s0f3", "enp125s0f1np1", "ens6f0", "eno3np2", "enP2p33s0f1")
_PEER = ("enp67s0f5", "enp61s0f1", "enp66s0f0np0", "ens14f1", "enp194s0f2", "enP4p65s0f0")


@dataclass(frozen=True)
class NodeSpec:
    """`number` counts from 1; `chip` and `driver` choose what the simulated tools print."""

    number: int
    os: str
    chip: str
    driver: str

    def to_label(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_label(cls, text: str) -> NodeSpec:
        return cls(**json.loads(text))

    @property
    def image(self) -> str:
        """Which root file system it is booted from."""
        return image_of(self.os)

    @property
    def management_interface(self) -> str:
        return _interface(_MANAGEMENT, self.number)

    @property
    def peer_interface(self) -> str:
        return _interface(_PEER, self.number)

    @property
    def npu_smi(self) -> str:
        """Drivers put npu-smi into sbin or into bin; the lab has both kinds of node."""
        return "/usr/local/sbin/npu-smi" if self.number % 2 else "/usr/local/bin/npu-smi"


def _interface(names: tuple[str, ...], number: int) -> str:
    """Past the end of the table the last digit of the name grows, so that names stay unique on the wire."""
    name = names[(number - 1) % len(names)]
    lap = (number - 1) // len(names)
    return f"{name}x{lap}" if lap else name


def _check(what: str, values: list[str], allowed: Iterable[str]) -> None:
    for value in values:
        if value not in allowed:
            raise LabUsageError(f"There is no {what} called {value!r}.", f"Choose from {', '.join(allowed)}.")


def assign(numbers: list[int], systems: list[str], chips: list[str], drivers: list[str]) -> list[NodeSpec]:
    """Give node 1, 2, ... the first, second, ... entry of each list, starting over when a list is short."""
    _check("node system", systems, SYSTEMS)
    _check("chip family", chips, FAMILIES)
    for driver in drivers:
        if not _DRIVER.match(driver):
            raise LabUsageError(f"{driver!r} is no driver version.", "Write it as 24.1.0, 23.0.7 or 25.3.rc1.")
    return [
        NodeSpec(number, *(values[(number - 1) % len(values)] for values in (systems, chips, drivers)))
        for number in numbers
    ]
