"""The monitor: look, judge, publish. Readers get a frozen view at any time, aged as of now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from npu_agent import api, kernel_clock
from npu_agent import run as run_module
from npu_agent.clock import Clock, SystemClock, iso
from npu_agent.facts import NodePaths
from npu_agent.health import Check, Context, Tracker, Verdict, built_in, is_ageing, overall, rules
from npu_agent.health.ledger import Ledger
from npu_agent.health.overtime import OverTime
from npu_agent.health.tracker import Moment
from npu_agent.observer import Observer, ObserverSettings
from npu_agent.readings import limits_s
from npu_agent.run import Run
from npu_agent.snapshot import NpuProcess, Snapshot
from npu_agent.view import (
    ProbeStats,
    View,
    freshness,
    idle_npus,
    is_current,
    npu_of,
    overall_fields,
    processes_of,
    urgent,
)

__all__ = ["Monitor", "MonitorSettings", "NpuProcess", "ProbeStats", "View"]


@dataclass(frozen=True)
class MonitorSettings:
    """Plain values; paths are absolute. `root` stands for / and is another folder only in tests."""

    node: str
    facts_dir: str = "/etc/npufleet/facts.d"
    run_dir: str = "/run/npufleet"
    state_dir: str = "/var/lib/npufleet"
    docker_dir: str = "/var/lib/docker"
    npu_smi: Optional[str] = None
    expected_npus: Optional[int] = None
    fast_interval_s: float = 5.0
    slow_interval_s: float = 60.0
    timeout_s: float = 20.0
    rules_file: str = rules.SITE_FILE
    root: str = "/"


@dataclass(frozen=True)
class Past:
    """What was kept of the time before this start: components of the same boot, and when which fault was seen."""

    components: Mapping[str, api.Component] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)


class Monitor:
    """One thread calls `cycle`; any thread may call `view`."""

    def __init__(
        self,
        settings: MonitorSettings,
        *,
        clock: Optional[Clock] = None,
        run: Run = run_module.run,
        checks: Sequence[Check] = (),
        past: Optional[Past] = None,
        kernel: Callable[[], Optional[kernel_clock.KernelClock]] = kernel_clock.read,
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._paths = NodePaths(settings.root, settings.facts_dir)
        self._observer = Observer(_observer_settings(settings, self._paths), self._clock, run)
        self._checks = [*built_in(), *checks]
        self._kernel = kernel
        self.rules = rules.load(self._paths.at(settings.rules_file))
        past = past or Past()
        self._tracker = Tracker(self.rules, past.components)
        self._over_time = OverTime(self.rules, past.ledger)
        # Ages are steady; what is kept for the next start is anchored in the time of day.
        self._epoch_s = self._clock.now().timestamp() - self._clock.monotonic()
        self._guard = threading.Lock()
        self._steady: dict[str, list[Verdict]] = {}
        self._fresh: tuple[Any, ...] = ()
        self._looked = False
        self._view = View(settings.node)
        with self._guard:
            self._publish(self._observer.snapshot(), counts=False)

    def news_of_faults(self) -> Optional[list[dict[str, Any]]]:
        """Give what is known of faults over time, for keeping; None where nothing is new since the last call."""
        with self._guard:
            ledger = self._over_time.ledger
            if not ledger.changed:
                return None
            ledger.changed = False
            return ledger.to_document()

    def cycle(self, publish: Callable[[], object] = lambda: None) -> View:
        """Look once, judge, publish; then ask what the table did not tell, until the next look is due, and judge again.

        `publish` is called in between: a fault in the table must not wait for the slower questions.
        """
        self._observer.look()
        self._judge(counts=False)
        publish()
        self._observer.inquire()
        return self._judge(counts=True)

    def _judge(self, *, counts: bool) -> View:
        snapshot = self._observer.snapshot()
        context = self._context(snapshot)
        steady = {check.name: self._run_check(check, context) for check in self._checks if not is_ageing(check)}
        with self._guard:
            self._steady = steady
            return self._publish(snapshot, counts=counts)

    def view(self) -> View:
        """Return the latest view; what has grown too old since is unknown in it, even while `cycle` hangs."""
        with self._guard:
            snapshot = self._observer.snapshot()
            if freshness(snapshot) != self._fresh:
                self._publish(snapshot, counts=False)
            return self._view

    def _publish(self, snapshot: Snapshot, *, counts: bool) -> View:
        verdicts: list[Verdict] = []
        context = self._context(snapshot)
        for check in self._checks:
            verdicts += self._run_check(check, context) if is_ageing(check) else self._steady.get(check.name, [])
        steady_s = self._clock.monotonic()
        epoch_s, boot = self._epoch_s + steady_s, snapshot.facts.boot_id or ""
        verdicts = [self._over_time.judge(verdict, epoch_s, boot, counts=counts) for verdict in verdicts]
        self._over_time.tidy(epoch_s)
        moment = Moment(iso(self._clock.now()), snapshot.answered_iso, steady_s, counts)
        components = self._tracker.update(verdicts, moment)
        self._looked = self._looked or counts
        self._fresh = freshness(snapshot)
        before, self._view = self._view, self._build(snapshot, components)
        if counts or urgent(self._view) != urgent(before):
            self._view = replace(self._view, news=self._view.sequence)
        return self._view

    def _context(self, snapshot: Snapshot) -> Context:
        settings = self._settings
        return Context(
            snapshot=snapshot,
            paths=self._paths,
            expected_npus=settings.expected_npus,
            fast_interval_s=settings.fast_interval_s,
            slow_interval_s=settings.slow_interval_s,
            disk_paths=(settings.state_dir, settings.docker_dir),
            rules=self.rules,
            now=self._clock.now(),
            monotonic=self._clock.monotonic(),
            kernel_clock=self._kernel(),
            probe_duration_s=self._observer.stats.durations.get("info"),
        )

    @staticmethod
    def _run_check(check: Check, context: Context) -> list[Verdict]:
        try:
            return list(check.run(context))
        except Exception as error:  # noqa: BLE001  # one broken check must not blind the others
            return [Verdict(check.name, api.UNKNOWN, f"the check itself failed: {error}", "none")]

    def _build(self, snapshot: Snapshot, components: tuple[api.Component, ...]) -> View:
        judged = {component.name: component for component in components}
        npus = tuple(npu_of(npu, snapshot, judged.get(f"npu/{npu}")) for npu in snapshot.npus)
        facts = snapshot.facts
        return View(
            node=self._settings.node,
            sequence=self._view.sequence + 1,
            news=self._view.news,
            components=components,
            npus=npus,
            sightings={npu: seen for npu, seen in snapshot.sightings.items() if is_current(npu, snapshot)},
            network={npu: port for npu, port in snapshot.network.items() if is_current(npu, snapshot)},
            limits_s=limits_s(self._settings.slow_interval_s),
            processes=processes_of(snapshot),
            processes_complete=snapshot.processes_complete and not snapshot.stale,
            idle_npus=idle_npus(snapshot),
            observed_at=snapshot.answered_iso,
            observed_monotonic=snapshot.answered_at,
            complete=snapshot.first_answer,
            looked=self._looked,
            trials=dict(self._tracker.trials),
            stale=snapshot.stale,
            driver_version=facts.driver_version or snapshot.tool_driver_version,
            chip=next((npu.name for npu in npus if npu.name), None),
            facts=facts.public(),
            roots=snapshot.roots,
            probe=self._stats(snapshot),
            **overall_fields(overall(components, complete=snapshot.first_answer)),
        )

    def _stats(self, snapshot: Snapshot) -> ProbeStats:
        stats = self._observer.stats
        last_error = snapshot.errors[0].message if snapshot.errors else None
        return ProbeStats(dict(stats.durations), dict(stats.runs), dict(stats.errors), snapshot.unkillable, last_error)


def _observer_settings(settings: MonitorSettings, paths: NodePaths) -> ObserverSettings:
    return ObserverSettings(
        paths=paths,
        lock_path=Path(settings.run_dir, "npu-smi.lock"),
        npu_smi=settings.npu_smi,
        expected_npus=settings.expected_npus,
        fast_interval_s=settings.fast_interval_s,
        slow_interval_s=settings.slow_interval_s,
        timeout_s=settings.timeout_s,
    )
