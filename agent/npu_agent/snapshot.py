"""What the agent knows of the hardware at one moment: the last sighting of each NPU, with its age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from npu_agent.facts import Facts
from npu_agent.probe.detail import Board
from npu_agent.probe.hccn import LinkStat, Optical
from npu_agent.probe.model import Chip, Number, ProbeError, Process
from npu_agent.probe.topology import Topology


@dataclass(frozen=True)
class Codes:
    """The error codes of a chip; `codes` is None where the tool did not tell."""

    word: Optional[str]
    codes: Optional[tuple[str, ...]]
    information: tuple[str, ...] = ()
    taken_at: float = 0.0


@dataclass(frozen=True)
class Readings:
    """The numbers of one answer of the slow tier by the tool's own lower-cased names; empty where it has none."""

    numbers: Mapping[str, Optional[Number]] = field(default_factory=dict)
    taken_at: float = 0.0


@dataclass(frozen=True)
class Port:
    """The network port of an NPU as hccn_tool last described it; None for what it did not say."""

    link: Optional[str] = None
    net_health: Optional[str] = None
    address: Optional[str] = None
    netmask: Optional[str] = None
    counters: Mapping[str, Optional[int]] = field(default_factory=dict)
    optical: Optional[Optical] = None
    link_stat: Optional[LinkStat] = None
    taken_at: Mapping[str, float] = field(default_factory=dict)
    observed_at: Optional[str] = None


@dataclass(frozen=True)
class Sighting:
    """The last row of npu-smi about one NPU. `card` and `chip_id` come from the mapping where the row lacks them."""

    npu: int
    card: Optional[int]
    chip_id: Optional[int]
    chip: Chip
    seen_at: float
    observed_at: str
    codes: Optional[Codes] = None
    board: Optional[Board] = None
    readings: Mapping[str, Readings] = field(default_factory=dict)


@dataclass(frozen=True)
class NpuProcess:
    """A process that npu-smi shows on an NPU; `npu` is None where the card could not be mapped."""

    npu: Optional[int]
    card: Optional[int]
    chip: Optional[int]
    pid: Optional[int]
    name: Optional[str]
    memory_mb: Optional[int]


@dataclass(frozen=True)
class Snapshot:
    """Times are of the monotonic clock.

    `absent` are NPUs that a whole table did not list; a table that was cut proves nothing about the rest.
    `network` has the ports of the NPUs that hccn_tool was asked about; what it does not support stays None there.
    `roots` names per NPU the processes at the roots of the mount namespaces that have it open, where the driver tells.
    `errors` are those of the last try and `failures` counts the tries in a row that gave no table.
    """

    now: float
    stale_after_s: float
    facts: Facts = field(default_factory=Facts)
    sightings: Mapping[int, Sighting] = field(default_factory=dict)
    expected: tuple[int, ...] = ()
    absent: frozenset[int] = frozenset()
    unmapped: tuple[Chip, ...] = ()
    processes: tuple[Process, ...] = ()
    processes_complete: bool = False
    idle_npus: tuple[int, ...] = ()
    errors: tuple[ProbeError, ...] = ()
    failures: int = 0
    first_answer: bool = False
    answered_at: Optional[float] = None
    answered_iso: Optional[str] = None
    tool_driver_version: Optional[str] = None
    half_installed: bool = False
    unkillable: int = 0
    network: Mapping[int, Port] = field(default_factory=dict)
    topology: Optional[Topology] = None
    roots: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def fresh(self, npu: int) -> bool:
        sighting = self.sightings.get(npu)
        return sighting is not None and self.now - sighting.seen_at <= self.stale_after_s

    @property
    def answer_age_s(self) -> Optional[float]:
        return None if self.answered_at is None else max(0.0, self.now - self.answered_at)

    @property
    def stale(self) -> bool:
        age = self.answer_age_s
        return age is None or age > self.stale_after_s

    @property
    def npus(self) -> tuple[int, ...]:
        """Every NPU that is there or ought to be."""
        return tuple(sorted({*self.expected, *self.sightings}))
