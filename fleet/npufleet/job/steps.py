"""The whole of `npufleet run` for a job: start, and on request watch to the end and react, with its result."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from npu_agent import api
from npufleet.agent_errors import UnreachableError
from npufleet.errors import AgentError
from npufleet.fleet import Fleet
from npufleet.interrupts import signals_interrupt
from npufleet.job.layout import NONE, RESTART_ELSEWHERE, Layout
from npufleet.job.start import Started, start
from npufleet.job.undo import stop_all
from npufleet.job.watch import Verdict, Watcher
from npufleet.result import Exit, Failure, Frame, Message, Result
from npufleet.views import job as view

LAST_LINES = 30


@dataclass
class Run:
    """One call of the command; `wait` watches the job to its end."""

    fleet: Fleet
    spec: api.WorkloadSpec
    layout: Layout
    wait: bool
    notes: list[str] = field(default_factory=list)
    avoid: set[str] = field(default_factory=set)
    restarts: int = 0
    last_words: dict[str, str] = field(default_factory=dict)

    def steps(self) -> Generator[Frame, None, Result]:
        """A JobError passes through: the edge makes it the command's result."""
        with signals_interrupt():
            started = yield from self._framed(start(self.fleet, self.spec, self.layout))
            self.notes += started.notes
            if not self.wait:
                return self._result(started)
            try:
                return (yield from self._watched(started))
            except (KeyboardInterrupt, GeneratorExit):
                return self._left_alone(started)

    def _framed(self, words: Generator[str, None, Any]) -> Generator[Frame, None, Any]:
        while True:
            try:
                said = next(words)
            except StopIteration as end:
                return end.value
            try:
                yield Frame(lambda said=said: view.step(self.spec.name, said), f"{self.spec.name}: {said}")  # type: ignore[misc]  # bound now
            except (KeyboardInterrupt, GeneratorExit) as interrupt:
                words.throw(interrupt)
                raise

    def _watched(self, started: Started) -> Generator[Frame, None, Result]:
        while True:
            watcher = Watcher(self.fleet, started.name, started.nodes, self.layout)
            verdict: Verdict = yield from self._framed(watcher.follow())
            if not verdict.failed:
                return self._result(started, verdict)
            self._hear(started, verdict)
            if self.layout.on_failure == NONE:
                return self._failed(started, verdict, ())
            left = stop_all(self.fleet, started.name, started.nodes)
            if self.layout.on_failure != RESTART_ELSEWHERE:
                return self._failed(started, verdict, left)
            if self.restarts >= self.layout.restarts:
                self.notes.append(f"it was started {self.restarts + 1} times, and the job allows no more")
                return self._failed(started, verdict, left)
            started = yield from self._again(verdict, left)

    def _again(self, verdict: Verdict, left: list[str]) -> Generator[Frame, None, Started]:
        """Elsewhere: not where it failed, nor where the last try may still run."""
        self.restarts += 1
        self.avoid |= {*verdict.failed, *left}
        self.notes += [f"{node}: {why}; restarted elsewhere" for node, why in verdict.failed.items()]
        if left:
            self.notes.append(f"what was on {', '.join(left)} may still run there: stop it when the node is back")
        again = start(self.fleet, self.spec, self.layout, frozenset(self.avoid))
        started: Started = yield from self._framed(again)
        return started

    def _hear(self, started: Started, verdict: Verdict) -> None:
        """Keep the last words of what failed: stopping removes the container, and its log with it."""
        for node in verdict.failed:
            with suppress(AgentError):
                self.last_words[node] = self.fleet.client(node).logs(started.name, LAST_LINES)

    def _result(self, started: Started, verdict: Verdict | None = None) -> Result:
        data = started.to_dict()
        if verdict is not None:
            data["ended"] = {node: w.to_dict() for node, w in verdict.workloads.items()}
        return Result(
            "run", data=data | {"restarts": self.restarts}, messages=self._messages(),
            view=lambda: view.started(started, ended=verdict is not None),
        )  # fmt: skip

    def _failed(self, started: Started, verdict: Verdict, left: list[str] | tuple[()]) -> Result:
        errors = [Failure("rank-failed", f"{node}: {why}", "", node) for node, why in verdict.failed.items()]
        if left:
            told = f"Not stopped, because not reached: {', '.join(left)}."
            errors.append(Failure("rank-left", told, f"npufleet stop NODE/{started.name} when they are back."))
        nothing = verdict.unreachable and len(verdict.unreachable) == len(started.nodes)
        data = started.to_dict() | {"restarts": self.restarts, "failed": dict(verdict.failed), "left": list(left)}
        return Result(
            "run", data=data | {"last_words": self.last_words}, messages=self._messages(), errors=tuple(errors),
            exit_code=UnreachableError.exit_code if nothing else Exit.FAILED,
            view=lambda: view.failed(started, self.last_words, self.layout.on_failure),
        )  # fmt: skip

    def _left_alone(self, started: Started) -> Result:
        failure = Failure(
            "interrupted",
            f"No longer watched: the job {started.name} goes on, and nobody acts when a node of it fails.",
            f"The same command watches it again; npufleet stop {started.name} ends it.",
        )
        return Result("run", data=started.to_dict(), errors=(failure,), exit_code=Exit.FAILED)

    def _messages(self) -> tuple[Message, ...]:
        return tuple(Message("note", note) for note in self.notes)
