"""What the parsers return: frozen records in which None means unknown, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

Number = Union[int, float]

HEALTH_WORDS = ("OK", "Warning", "Alarm", "Critical", "UNKNOWN")

OCCUPIED = "occupied"
DRIVER_NOT_READY = "driver-not-ready"
PERMISSION = "permission"
MISSING_LIBRARY = "missing-library"
MISSING_TOOL = "missing-tool"
UNSUPPORTED = "unsupported"
TIMEOUT = "timeout"
GARBAGE = "garbage"
ERROR_CLASSES = (
    OCCUPIED,
    DRIVER_NOT_READY,
    PERMISSION,
    MISSING_LIBRARY,
    MISSING_TOOL,
    UNSUPPORTED,
    TIMEOUT,
    GARBAGE,
)


@dataclass(frozen=True)
class ProbeError:
    """Why a tool's answer cannot be used; `code` is the driver's own number where it named one."""

    kind: str
    message: str
    code: Optional[int] = None


@dataclass(frozen=True)
class Chip:
    """One chip of the `npu-smi info` table, by npu-smi's own ids (a card may have holes and carry two chips)."""

    npu_id: Optional[int] = None
    chip_id: Optional[int] = None
    phy_id: Optional[int] = None
    device: Optional[int] = None
    name: Optional[str] = None
    health: Optional[str] = None
    power_w: Optional[Number] = None
    temperature_c: Optional[Number] = None
    bus_id: Optional[str] = None
    aicore_percent: Optional[Number] = None
    npu_util_percent: Optional[Number] = None
    memory_used_mb: Optional[int] = None
    memory_total_mb: Optional[int] = None
    hbm_used_mb: Optional[int] = None
    hbm_total_mb: Optional[int] = None
    hugepages_used: Optional[int] = None
    hugepages_total: Optional[int] = None
    readable: bool = True


@dataclass(frozen=True)
class Process:
    """One row of the process table. The name is None where npu-smi could not read it."""

    npu_id: Optional[int]
    chip_id: Optional[int]
    pid: Optional[int]
    name: Optional[str]
    memory_mb: Optional[int]


@dataclass(frozen=True)
class InfoTable:
    """What `npu-smi info` said, and whether all of it arrived.

    `chips_complete` means that a chip which is not listed is really absent from the tool's answer.
    `processes_complete` means that a chip without a process row is really idle, as far as the tool knows.
    """

    tool_version: Optional[str] = None
    driver_version: Optional[str] = None
    chips: tuple[Chip, ...] = ()
    processes: tuple[Process, ...] = ()
    idle_npus: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()
    chips_complete: bool = False
    processes_complete: bool = False
    process_table: bool = False
    half_installed: bool = False

    @property
    def complete(self) -> bool:
        """Some 310 boards print no process table at all."""
        processes = self.processes_complete or not self.process_table
        return bool(self.chips) and self.chips_complete and processes and not self.problems
