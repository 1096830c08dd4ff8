"""What is known of each running workload from the inside: its log's numbers, and what its probe found.

Kept in memory: after a restart of the agent the log's tail tells it again. One look at a time per workload, in a worker
thread: a container that does not answer holds up nobody else.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional

from npu_agent import api, engine, probes, training_log, units
from npu_agent.engine import Container, Engine
from npu_agent.reservations import Clock
from npu_agent.store import Record
from npu_agent.training_log import Reading

log = logging.getLogger(__name__)

TAIL_LINES = 500
# A container that has printed no number in its first minutes is read less often: most are not trainings.
QUIET_AFTER_S = 300.0
QUIET_EVERY_S = 30.0
LOG_BYTES = 512 * 1024
# Without a probe, a training is told to stall after so many of its own iterations, and not before so many seconds.
STALL_ITERATIONS = 20
STALL_LEAST_S = 600.0


@dataclass
class State:
    """Of one run of one container."""

    container: str
    run: Optional[str]
    since_s: float
    reading: Reading = field(default_factory=Reading)
    read_to: str = ""
    read_s: Optional[float] = None
    moved_s: Optional[float] = None
    observed_at: Optional[str] = None
    probed_s: Optional[float] = None
    probe: Optional[api.ProbeStatus] = None
    busy: bool = False


class Insight:
    """look() is called for every running workload at every cycle; tell() adds what is known to what is shown."""

    def __init__(self, containers: Engine, clock: Clock) -> None:
        self._engine = containers
        self._clock = clock
        self._guard = threading.Lock()
        self._states: dict[str, State] = {}
        self.on_unhealthy: Callable[[str, str], None] = lambda _name, _words: None

    def tell(self, shown: api.Workload) -> api.Workload:
        state = self._states.get(shown.name)
        if state is None or shown.container_id != state.container:
            return shown
        given = shown.spec.get("training") or {}
        progress = training_log.progress(state.reading, given, len(shown.npus), self._stall(state, shown))
        if progress is not None:
            progress = dataclasses.replace(progress, observed_at=state.observed_at)
        return dataclasses.replace(shown, progress=progress, probe=state.probe)

    def forget(self, name: str) -> None:
        with self._guard:
            self._states.pop(name, None)

    def begin(self, record: Record, container: Container) -> Optional[Callable[[], None]]:
        """The look that is due, to be run in a worker thread, or None where one is under way."""
        with self._guard:
            state = self._states.get(record.name)
            if state is None or (state.container, state.run) != (container.id, container.started_at):
                state = State(container.id, container.started_at, self._clock.now_s())
                self._states[record.name] = state
            if state.busy:
                return None
            state.busy = True
        return lambda: self._look(state, record, container)

    def _look(self, state: State, record: Record, container: Container) -> None:
        try:
            self._read(state, container)
            self._probe(state, record, container)
        except engine.EngineError as error:
            log.debug("workload %s is not looked into: %s", record.name, error)
        finally:
            state.busy = False

    # The log

    def _read(self, state: State, container: Container) -> None:
        before, now = state.reading, self._clock.now_s()
        quiet = before.source is None and now - state.since_s > QUIET_AFTER_S
        if quiet and state.read_s is not None and now - state.read_s < QUIET_EVERY_S:
            return
        state.read_s = now
        if not state.read_to:  # the arguments of a training stand at the beginning, its numbers at the end
            state.reading = training_log.feed(state.reading, self._lines(state, container, tail=None))
        state.reading = training_log.feed(state.reading, self._lines(state, container, tail=TAIL_LINES))
        if state.reading != before:
            state.observed_at = units.utc_now()
        if state.reading.iteration != before.iteration:
            state.moved_s = self._clock.now_s()

    def _lines(self, state: State, container: Container, tail: Optional[int]) -> list[str]:
        """New lines only. Docker puts a moment of fixed width before each, so texts compare as times do."""
        found: list[str] = []
        last = state.read_to
        # Only of this run: what the one before it printed is no progress.
        since_s = units.seconds(container.started_at)
        stream = self._engine.logs(container.id, tail=tail, follow=False, since_s=since_s, timestamps=True)
        for line in _text(stream, head=tail is None).split("\n"):
            moment, _, words = line.partition(" ")
            if moment > state.read_to and words:
                found += training_log.lines_of(words)
            last = max(last, moment)
        if tail is not None:
            state.read_to = last or "0"
        return found

    def _stall(self, state: State, shown: api.Workload) -> list[str]:
        if shown.state != api.RUNNING or state.moved_s is None or state.reading.iteration is None:
            return []
        if state.reading.iterations is not None and state.reading.iteration >= state.reading.iterations:
            return []
        usual_s = (state.reading.iteration_ms or 0.0) / 1000
        quiet_s = self._clock.now_s() - state.moved_s
        if quiet_s < max(STALL_LEAST_S, STALL_ITERATIONS * usual_s):
            return []
        return [f"no new iteration for {quiet_s / 60:.0f} minutes, at iteration {state.reading.iteration}"]

    # The probe

    def _probe(self, state: State, record: Record, container: Container) -> None:
        if not record.spec.get("probe"):
            return
        asked, now = probes.settings(record.spec["probe"]), self._clock.now_s()
        if state.probed_s is not None and now - state.probed_s < asked["interval_s"]:
            return
        state.probed_s = now
        outcome = self._outcome(state, asked, record, container)
        early = now - state.since_s < asked["start_period_s"]
        before = state.probe
        state.probe = judged(before, asked, outcome, early=early)
        if state.probe.state != api.UNHEALTHY:
            return
        if before is None or before.state != api.UNHEALTHY:
            log.warning("workload %s: its probe fails: %s", record.name, outcome.words)
        if asked["action"] == "restart":  # at every look: the first may have met another change under way
            self.on_unhealthy(record.name, outcome.words)

    def _outcome(self, state: State, asked: dict[str, Any], record: Record, container: Container) -> probes.Outcome:
        if asked["kind"] == probes.LOG_PROGRESS:
            return probes.stalled(asked, self._clock.now_s() - (state.moved_s or state.since_s))
        network = str(record.resolved.get("network", "bridge"))
        try:
            return probes.run(asked, container, network, self._engine)
        except engine.EngineUnreachableError:
            raise
        except engine.EngineError as error:
            return probes.failure(error)


def judged(
    before: Optional[api.ProbeStatus], asked: dict[str, Any], outcome: probes.Outcome, *, early: bool
) -> api.ProbeStatus:
    """Healthy at the first success, unhealthy after so many failures in a row, as before in between."""
    now = units.utc_now()
    if outcome.fine:
        return api.ProbeStatus(asked["kind"], api.HEALTHY, outcome.words, 0, now)
    if early and (before is None or before.state == api.UNKNOWN):
        return api.ProbeStatus(asked["kind"], api.UNKNOWN, f"it is starting: {outcome.words}", 0, now)
    failures = (before.failures if before is not None else 0) + 1
    state = before.state if before is not None else api.UNKNOWN
    if failures >= asked["failures"]:
        state = api.UNHEALTHY
    return api.ProbeStatus(asked["kind"], state, outcome.words, failures, now)


def _text(stream: engine.LogStream, *, head: bool) -> str:
    """At most so much of its head or of its end: what is between them is of no interest."""
    taken = bytearray()
    try:
        for chunk in stream:
            taken += chunk
            if head and len(taken) >= LOG_BYTES:
                break
            if len(taken) > 2 * LOG_BYTES:
                del taken[:-LOG_BYTES]
    finally:
        stream.close()
    return taken.decode("utf-8", "replace")
