"""One simulated node: what it says follows from its setting; workloads, cordons and drains are the agent's own code."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from npu_agent import __version__, api, api_events, components, holders, units
from npu_agent.changes import Picture, changes
from npu_agent.config import Policy
from npu_agent.health.verdict import overall
from npu_agent.history import Draft, History
from npu_agent.http.service import EventReaders, Published
from npu_agent.intake import Node as AgentsNode
from npu_agent.nodefacts import NodeFacts
from npu_agent.reconcile import Reconciler
from npu_agent.store import Store
from npu_agent.watch import DockerState
from npu_agent.workloads import Workloads
from npufleet_lab.swarm.engine import SimulatedEngine
from npufleet_lab.swarm.script import Setting

NOTICE = "simulated: this node does not exist"
SNAPSHOT_S = 5.0
NPUS = 8
_MEMORY = Path(":memory:")
_PENDING = 200
_HBM_MB = 65536.0


@dataclass
class Machine:
    """What of a node is only made when somebody asks for it: most nodes of a large fleet just stand there."""

    engine: SimulatedEngine
    workloads: Workloads
    reconciler: Reconciler


@dataclass
class SimulatedNode:
    name: str
    address: str
    facts: NodeFacts
    background: Callable[[Callable[[], None]], object]
    setting: Setting = field(default_factory=Setting)
    event_readers: EventReaders = field(default_factory=EventReaders)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._machine: Machine | None = None
        self._history: History | None = None
        self._pending: deque[Draft] = deque(maxlen=_PENDING)
        self._picture = Picture()
        self._since = components.Since()
        self._flapped = False
        self._begun = time.monotonic()
        self._current: Published | None = None
        self._started(__version__)

    @property
    def version(self) -> str:
        return self.setting.version or f"{__version__}+simulated"

    def _started(self, version: str) -> None:
        self.started_at = units.utc_now()
        self._tell([Draft(api_events.AGENT, "agent", f"npu-agent {version} starts ({NOTICE})")])

    # What a request asks for

    def published(self) -> Published:
        """Look again when the last look is too old, as an agent does at its interval."""
        with self._lock:
            now = self._current
            if now is None or time.monotonic() - (now.observed_monotonic or 0.0) > SNAPSHOT_S:
                now = self.look()
            return now

    @property
    def machine(self) -> Machine:
        with self._lock:
            if self._machine is None:
                engine = SimulatedEngine()
                files = Path(tempfile.gettempdir(), "npufleet-swarm", self.name)
                node = AgentsNode(self.name, lambda: self.facts, Policy, self._seen, files)
                workloads = Workloads(engine, Store(_MEMORY), node)
                self._machine = Machine(engine, workloads, Reconciler(workloads, self.background))
            return self._machine

    @property
    def history(self) -> History:
        with self._lock:
            if self._history is None:
                self._history = History(_MEMORY)
                self._history.record(self._pending)
                self._history.write()
                self._pending.clear()
            return self._history

    # What time and the script do to it

    def set(self, setting: Setting) -> None:
        if setting == self.setting:
            return
        with self._lock:
            before, self.setting = self.version, setting
            if self.version != before:
                self._started(self.version)
            self.look()

    def turn(self) -> None:
        """One look of the agent's loop: containers end, a drain takes its next step, a flapping node flaps."""
        flapped = bool(self.setting.flap_s) and int((time.monotonic() - self._begun) / self.setting.flap_s) % 2 == 1
        if self._machine is not None:
            self._machine.reconciler.run(self._machine.engine.containers())
        if flapped != self._flapped or self._machine is not None:
            self._flapped = flapped
            self.look()

    def look(self) -> Published:
        with self._lock:
            npus = self._npus()
            machine = self._machine
            shown: Sequence[api.Workload] = machine.workloads.all() if machine else ()
            leases: Sequence[api.Lease] = machine.workloads.store.leases() if machine else ()
            kept = machine.workloads.reservations.all() if machine else []
            containers = machine.engine.containers() if machine else []
            found = holders.find([npu.npu for npu in npus], containers, leases, reservations=kept)
            npus = tuple(replace(npu, holder=found.get(npu.npu)) for npu in npus)
            parts = self._since.stamp([*self._parts(npus), *_of_workloads(shown)])
            cordons = machine.workloads.cordons.told() if machine else api.Cordons()
            self._current = self._publish(npus, parts, cordons, shown)
            self._tell_changes(parts, cordons, shown, leases)
            return self._current

    def _publish(
        self,
        npus: tuple[api.Npu, ...],
        parts: list[api.Component],
        cordons: api.Cordons,
        shown: Sequence[api.Workload],
    ) -> Published:
        verdict = overall(parts)
        reasons = [
            *verdict.reasons,
            *(f"cordoned by {one.owner}: {one.reason}" for one in cordons.cordons if one.npu is None),
        ]
        ready = verdict.ready and not cordons.cordoned
        return Published(
            node=api.Node(
                self.name, self.version, boot_id="simulated", started_at=self.started_at, cordoned=cordons.cordoned,
                driver_version="24.1.0", chip="910B3", npu_count=NPUS, facts={"simulated": True, "notice": NOTICE},
            ),
            health=api.HealthReport(self.name, ready, verdict.state, reasons, parts),
            npus=npus,
            observed_at=units.utc_now(),
            observed_monotonic=time.monotonic(),
            complete=True,
            workloads=tuple(shown),
        )  # fmt: skip

    def _npus(self) -> tuple[api.Npu, ...]:
        return tuple(self._npu(number) for number in range(NPUS))

    def _npu(self, number: int) -> api.Npu:
        found = api.Npu(
            number,
            card=number,
            chip=0,
            name="910B3",
            device=f"/dev/davinci{number}",
            bus_id=f"0000:{number + 1:02X}:00.0",
        )
        if self.setting.unknown:
            return replace(found, state=api.UNKNOWN, reason="npu-smi did not answer in time", action="check-driver")
        known = replace(
            found, health="OK", state=api.HEALTHY, power_w=92.4, temperature_c=41.0, aicore_percent=0.0,
            hbm_used_mb=3072.0, hbm_total_mb=_HBM_MB,
        )  # fmt: skip
        if number not in self.setting.npus:
            return known
        reason = "npu-smi reports Alarm, code 80E01801 (HBM multi-bit error)"
        sick = {"health": "Alarm", "state": api.UNHEALTHY, "reason": reason, "action": "reset-npu-when-idle"}
        return replace(known, error_codes=["80E01801"], **sick)  # type: ignore[arg-type]  # texts, all of them

    def _parts(self, npus: Sequence[api.Npu]) -> list[api.Component]:
        engine = api.Component("docker", api.HEALTHY, "Docker simulated answers")
        bad = self.setting.unhealthy or self._flapped or self.setting.unhealthy_on == self.version
        if bad:
            engine = api.Component("docker", api.UNHEALTHY, "Docker does not answer: simulated", "fix-configuration")
        probe = api.Component("probe", api.HEALTHY, "npu-smi answers")
        if self.setting.unknown:
            probe = api.Component("probe", api.UNKNOWN, "npu-smi did not answer in time", "check-driver")
        each = [api.Component(f"npu/{npu.npu}", npu.state, npu.reason, npu.action) for npu in npus]
        return [api.Component("driver", api.HEALTHY, "driver 24.1.0"), engine, probe, *each]

    def _seen(self) -> Seen:
        return Seen(self._npus(), observed_monotonic=time.monotonic())

    def _tell_changes(
        self,
        parts: Sequence[api.Component],
        cordons: api.Cordons,
        shown: Sequence[api.Workload],
        leases: Sequence[api.Lease],
    ) -> None:
        assert self._current is not None, "it was published just before"
        picture = Picture(
            components={part.name: part for part in parts},
            workloads={workload.name: workload.state for workload in shown},
            leases={lease.npu: lease.workload for lease in leases},
            cordoned=cordons.cordoned,
            ready=self._current.health.ready,
        )
        self._tell(changes(self._picture, picture, self._current.health.reasons))
        self._picture = picture

    def _tell(self, drafts: list[Draft]) -> None:
        if self._history is None:
            self._pending.extend(drafts)
        elif drafts:
            self._history.record(drafts)
            self._history.write()


@dataclass(frozen=True)
class Seen:
    """What the agent's intake wants to know of the NPUs."""

    npus: tuple[api.Npu, ...]
    complete: bool = True
    processes: Sequence[holders.Process] = ()
    observed_monotonic: float | None = None


def _of_workloads(shown: Sequence[api.Workload]) -> list[api.Component]:
    return components.workloads(shown, [], DockerState(error=None, asked=True, version="simulated"))
