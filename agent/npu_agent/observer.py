"""Looks at the hardware through the tools and keeps what was seen, with the time of each sighting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional

from npu_agent import run as run_module
from npu_agent.clock import Clock, iso
from npu_agent.facts import Facts, NodePaths, device_ids, read_facts
from npu_agent.inquiry import ChipInquiry, MappingKeeper, has_news
from npu_agent.probe import uda
from npu_agent.probe.document import read
from npu_agent.probe.model import TIMEOUT, Chip, InfoTable, ProbeError
from npu_agent.probe.tools import Hccn, NpuSmi, ToolStats, driver_env
from npu_agent.readings import ReadingInquiry, Tools
from npu_agent.run import Run
from npu_agent.snapshot import Sighting, Snapshot

_STALE_INTERVALS = 3
_FILE_TIMEOUT_S = 2.0
_LONGEST_PAUSE = 8


@dataclass(frozen=True)
class ObserverSettings:
    paths: NodePaths = field(default_factory=NodePaths)
    lock_path: Path = Path("/run/npufleet/npu-smi.lock")
    npu_smi: Optional[str] = None
    expected_npus: Optional[int] = None
    fast_interval_s: float = 5.0
    slow_interval_s: float = 60.0
    timeout_s: float = 20.0


@dataclass
class Pause:
    """How long the slow tier keeps still after a call that hung: longer after every further one."""

    interval_s: float
    _until: float = 0.0
    _hung: int = 0

    def holds(self, now: float) -> bool:
        return now < self._until

    def note(self, now: float, *, hung: bool) -> None:
        self._hung = self._hung + 1 if hung else 0
        if hung:
            self._until = now + self.interval_s * min(2 ** (self._hung - 1), _LONGEST_PAUSE)


class Observer:
    """Its state is one frozen snapshot, replaced as a whole: any thread may read while one thread looks."""

    def __init__(
        self, settings: ObserverSettings, clock: Clock, run: Run, unkillable: Callable[[], int] = run_module.unkillable
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._run = run
        self._unkillable = unkillable
        self._mapping = MappingKeeper()
        self._inquiry = ChipInquiry(clock, settings.slow_interval_s)
        self._readings = ReadingInquiry(clock, settings.slow_interval_s)
        self._fresh: dict[int, Sighting] = {}
        self._next_look = clock.monotonic()
        self._pause = Pause(settings.slow_interval_s)
        self._slow_due = clock.monotonic()
        self._info_duration_s = 0.0
        self._prints_processes = False
        self._slow = False
        self._mapping_due = False
        self._chips: tuple[Chip, ...] = ()
        self.stats = ToolStats()
        facts = read_facts(settings.paths, settings.npu_smi)
        expected = expected_npus(facts, settings.expected_npus)
        self._state = Snapshot(clock.monotonic(), self._stale_after_s(), facts=facts, expected=expected)

    def snapshot(self) -> Snapshot:
        """Return what is known, with its age as of now."""
        return replace(self._state, now=self._clock.monotonic(), stale_after_s=self._stale_after_s())

    def look(self) -> None:
        """Run `npu-smi info` once, and what tells which card is which NPU. Blocks for as long as it runs."""
        begun = self._clock.monotonic()
        slow = begun >= self._slow_due
        self._next_look = begun + self._settings.fast_interval_s
        facts = self._facts(slow=slow)
        smi = self._tool(facts)
        completed = smi.call("info")
        seen_at = self._clock.monotonic()
        table, errors = read(completed)
        if completed.timed_out and self._unkillable():  # the lock that it keeps is only how the next call notices
            errors = (ProbeError(TIMEOUT, "a call of npu-smi hangs in the kernel and cannot be killed"),)
        for error in errors:
            self.stats.count_error(error.kind)
        state = replace(
            self._state,
            facts=facts,
            expected=expected_npus(facts, self._settings.expected_npus),
            errors=errors,
            failures=0 if table.chips else self._state.failures + 1,
        )
        self._fresh = {}
        if table.chips:
            self._info_duration_s = completed.duration_s
            self._mapping_due = not self._mapping.refresh(table.chips, smi, slow=False) and slow
            state = self._learn(state, table, seen_at)
        self._slow = slow
        self._state = replace(state, unkillable=self._unkillable())
        self._slow_due = self._clock.monotonic() + self._settings.slow_interval_s if slow else self._slow_due

    def inquire(self) -> None:
        """Ask for what the table does not tell, until the next look is due.

        A call that hangs costs the table its freshness, so after one nothing is asked for a while.
        """
        if not self._fresh or self._pause.holds(self._clock.monotonic()):
            return
        tools = self._slow_tools()
        if self._mapping_due:
            self._mapping.refresh(self._chips, tools.smi, slow=True)
        if self._slow:
            self._state = replace(self._state, roots=self._namespace_roots())
        learned = self._inquiry.ask(self._fresh, tools.smi, self._next_look)
        # The codes behind a new word are told at once; what can wait comes a round later.
        asks = not self._inquiry.timed_out and not has_news(self._fresh.values())
        hung = self._inquiry.timed_out or (asks and not self._readings.ask(learned, tools, self._next_look))
        self._pause.note(self._clock.monotonic(), hung=hung)
        learned = {npu: replace(sighting, readings=self._readings.of(npu)) for npu, sighting in learned.items()}
        self._state = replace(
            self._state,
            sightings={**self._state.sightings, **learned},
            network=dict(self._readings.network),
            topology=self._readings.topology,
            unkillable=self._unkillable(),
        )

    def _slow_tools(self) -> Tools:
        """A question of the slow tier may not take so long that the table gets too old meanwhile."""
        settings, facts = self._settings, self._state.facts
        timeout_s = min(settings.timeout_s, (_STALE_INTERVALS - 1) * settings.fast_interval_s)
        smi = replace(self._tool(facts), timeout_s=timeout_s)
        hccn = Hccn(facts.hccn_tool, smi.run, smi.lock_path, timeout_s, smi.env, smi.stats)
        return Tools(smi, hccn if facts.hccn_tool else None)

    def _facts(self, *, slow: bool) -> Facts:
        paths = self._settings.paths
        if slow:
            return read_facts(paths, self._settings.npu_smi)
        return replace(self._state.facts, devices=device_ids(paths))

    def _tool(self, facts: Facts) -> NpuSmi:
        settings = self._settings
        env = driver_env(facts.driver_dir)
        return NpuSmi(facts.npu_smi, self._run, settings.lock_path, settings.timeout_s, env, self.stats)

    def _learn(self, state: Snapshot, table: InfoTable, seen_at: float) -> Snapshot:
        self._chips = table.chips
        state = self._take_table(state, table, seen_at)
        self._fresh = {npu: sighting for npu, sighting in state.sightings.items() if sighting.seen_at == seen_at}
        return state

    def _namespace_roots(self) -> dict[int, tuple[int, ...]]:
        """Ask the driver's own files who has the NPUs, through another program: a sick driver may never answer."""
        texts = []
        for path in (uda.UDEVICE, uda.NAMESPACES):
            if not self._settings.paths.at(path).exists():
                return {}
            completed = self._run(("cat", str(self._settings.paths.at(path))), timeout_s=_FILE_TIMEOUT_S)
            texts.append(completed.stdout if completed.exit_code == 0 else "")
        return uda.roots(uda.parse_udevice(texts[0]), uda.parse_namespaces(texts[1]))

    def _take_table(self, state: Snapshot, table: InfoTable, seen_at: float) -> Snapshot:
        seen, unmapped = self._sight(state, table, seen_at)
        # What is not listed is missing only where nothing of the table is in doubt.
        whole = table.chips_complete and not unmapped and self._ends_as_before(table)
        absent = {*state.expected, *state.sightings} if whole else state.absent
        return replace(
            state,
            sightings={**state.sightings, **seen},
            absent=frozenset(absent) - frozenset(seen),
            unmapped=tuple(unmapped),
            processes=table.processes,
            processes_complete=table.processes_complete,
            idle_npus=table.idle_npus,
            first_answer=state.first_answer or (table.chips_complete and bool(seen)),
            answered_at=seen_at,
            answered_iso=iso(self._clock.now()),
            tool_driver_version=table.driver_version or state.tool_driver_version,
            half_installed=table.half_installed,
        )

    def _ends_as_before(self, table: InfoTable) -> bool:
        """Some boards print no process table; where one was printed before, a text without it was cut at a rule."""
        self._prints_processes = self._prints_processes or table.process_table
        return table.process_table or not self._prints_processes

    def _sight(self, state: Snapshot, table: InfoTable, seen_at: float) -> tuple[dict[int, Sighting], list[Chip]]:
        seen: dict[int, Sighting] = {}
        unmapped = []
        for chip in table.chips:
            npu = self._mapping.npu_of(chip)
            if npu is None or npu in seen:
                unmapped.append(chip)
            else:
                seen[npu] = self._sighting(state, npu, chip, seen_at)
        return seen, unmapped

    def _sighting(self, state: Snapshot, npu: int, chip: Chip, seen_at: float) -> Sighting:
        row = self._mapping.mapping.find(npu)
        before = state.sightings.get(npu)
        return Sighting(
            npu=npu,
            card=chip.npu_id if chip.npu_id is not None or row is None else row.card,
            chip_id=chip.chip_id if chip.chip_id is not None or row is None else row.chip,
            chip=chip,
            seen_at=seen_at,
            observed_at=iso(self._clock.now()),
            # Codes belong to the word they came with.
            codes=before.codes if before and before.chip.health == chip.health else None,
            board=self._inquiry.boards.get(npu),
            readings=self._readings.of(npu),
        )

    def _stale_after_s(self) -> float:
        """Three intervals; longer only where the tool itself takes longer than that even when all is well."""
        fast = self._settings.fast_interval_s
        return max(_STALE_INTERVALS * fast, fast + 2 * self._info_duration_s)


def expected_npus(facts: Facts, configured: Optional[int]) -> tuple[int, ...]:
    """List the NPUs that ought to be there: device nodes, what preparation recorded, and the configured number."""
    known = {*facts.devices, *facts.recorded_devices}
    missing = max(0, (configured or 0) - len(known))
    gaps = [npu for npu in range(configured or 0) if npu not in known]
    return tuple(sorted({*known, *gaps[:missing]}))
