"""What the monitor publishes: one frozen view of the node, in which unknown is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from npu_agent import api
from npu_agent.health.verdict import Overall, overall
from npu_agent.snapshot import NpuProcess, Port, Sighting, Snapshot


@dataclass(frozen=True)
class ProbeStats:
    """Of the tools' calls since start, by what was asked: the last duration, the number, and errors by class."""

    durations: Mapping[str, float] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    unkillable: int = 0
    last_error: Optional[str] = None


@dataclass(frozen=True)
class View:
    """One published state. `sequence` grows with every view; `news` only where it is worth showing to others.

    `looked` says that the tools were asked at least once since the start, with whatever result. `trials` are what
    rules that only report would say, by component. `limits_s` tells by question how old an answer may be.
    """

    node: str
    sequence: int = 0
    news: int = 0
    components: tuple[api.Component, ...] = ()
    npus: tuple[api.Npu, ...] = ()
    sightings: Mapping[int, Sighting] = field(default_factory=dict)
    network: Mapping[int, Port] = field(default_factory=dict)
    limits_s: Mapping[str, float] = field(default_factory=dict)
    processes: tuple[NpuProcess, ...] = ()
    processes_complete: bool = False
    idle_npus: tuple[int, ...] = ()
    observed_at: Optional[str] = None
    observed_monotonic: Optional[float] = None
    complete: bool = False
    looked: bool = False
    trials: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stale: bool = True
    driver_version: Optional[str] = None
    chip: Optional[str] = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    probe: ProbeStats = field(default_factory=ProbeStats)
    roots: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    ready: bool = False
    state: str = api.UNKNOWN
    reasons: tuple[str, ...] = ("no complete probe yet",)

    @property
    def npu_count(self) -> Optional[int]:
        return len(self.npus) if self.complete else None

    def age_s(self, monotonic: float) -> Optional[float]:
        return None if self.observed_monotonic is None else max(0.0, monotonic - self.observed_monotonic)

    def with_holders(self, holders: Mapping[int, api.Holder]) -> View:
        return replace(self, npus=tuple(replace(npu, holder=holders.get(npu.npu)) for npu in self.npus))

    def with_components(self, more: Sequence[api.Component]) -> View:
        """Add components that others judged, and say again whether the node is ready."""
        components = (*self.components, *more)
        return replace(self, components=components, **overall_fields(overall(components, complete=self.complete)))


def urgent(view: View) -> tuple[Any, ...]:
    """What of a view others are told at once; the rest can wait until all the round's questions are answered."""
    judged = tuple((c.name, c.state, c.action, tuple(c.marks)) for c in view.components)
    held = tuple((process.npu, process.pid) for process in view.processes)
    return judged, held, view.stale, view.complete, view.looked, view.ready, tuple(view.sightings), view.idle_npus


def overall_fields(found: Overall) -> dict[str, Any]:
    return {"ready": found.ready, "state": found.state, "reasons": found.reasons}


def is_current(npu: int, snapshot: Snapshot) -> bool:
    return snapshot.fresh(npu) and npu not in snapshot.absent


def freshness(snapshot: Snapshot) -> tuple[Any, ...]:
    """What changes by the passing of time alone."""
    return (snapshot.stale, tuple(npu for npu in snapshot.npus if snapshot.fresh(npu)))


def npu_of(npu: int, snapshot: Snapshot, component: Optional[api.Component]) -> api.Npu:
    """Build the wire form. Of an NPU not seen lately only its identity is told: its readings are unknown."""
    judged = component or api.Component(f"npu/{npu}", api.UNKNOWN, "not judged")
    device = f"/dev/davinci{npu}" if npu in snapshot.facts.devices else None
    port = snapshot.network.get(npu)
    device_ip = (port.address if port else None) or snapshot.facts.hccn_addresses.get(npu)
    found = api.Npu(
        npu, state=judged.state, reason=judged.reason, action=judged.action, device=device, device_ip=device_ip
    )
    sighting = snapshot.sightings.get(npu)
    if sighting is None:
        return found
    chip = sighting.chip
    found = replace(found, card=sighting.card, chip=sighting.chip_id, name=chip.name, bus_id=chip.bus_id)
    if not is_current(npu, snapshot):
        return found
    return replace(
        found,
        health=chip.health,
        power_w=chip.power_w,
        temperature_c=chip.temperature_c,
        aicore_percent=chip.aicore_percent,
        hbm_used_mb=chip.hbm_used_mb,
        hbm_total_mb=chip.hbm_total_mb,
        memory_used_mb=chip.memory_used_mb,
        memory_total_mb=chip.memory_total_mb,
        error_codes=list((sighting.codes.codes if sighting.codes else None) or ()),
    )


def _cards(snapshot: Snapshot) -> dict[tuple[Optional[int], Optional[int]], int]:
    """Find an NPU by card and chip; by the card alone where the card has but one chip."""
    found: dict[tuple[Optional[int], Optional[int]], int] = {}
    cards = [sighting.card for sighting in snapshot.sightings.values()]
    for npu, sighting in snapshot.sightings.items():
        found[sighting.card, sighting.chip_id] = npu
        if cards.count(sighting.card) == 1:
            found[sighting.card, None] = npu
    return found


def processes_of(snapshot: Snapshot) -> tuple[NpuProcess, ...]:
    cards = _cards(snapshot)
    return tuple(
        NpuProcess(cards.get((p.npu_id, p.chip_id)), p.npu_id, p.chip_id, p.pid, p.name, p.memory_mb)
        for p in snapshot.processes
    )


def idle_npus(snapshot: Snapshot) -> tuple[int, ...]:
    """Translate what npu-smi calls idle (whole cards) into NPUs; of old answers nothing is called idle."""
    if snapshot.stale:
        return ()
    seen = snapshot.sightings.values()
    return tuple(sorted(sighting.npu for sighting in seen if sighting.card in snapshot.idle_npus))
