"""Runs a playbook of the checkout through ansible-runner and tells of it while it goes on."""

from __future__ import annotations

import importlib
import os
import queue
import sys
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from npufleet import playbook_result
from npufleet.errors import NpufleetError, ProjectError
from npufleet.interrupts import signals_interrupt
from npufleet.playbook_events import Tracker
from npufleet.playbook_record import Record
from npufleet.playbook_story import CANCELED, End, Order, Story
from npufleet.project import Project
from npufleet.result import Frame, Progress, Result
from npufleet.views import playbook as view

# Redrawing more often tells nobody more, and the run needs the processor itself.
FRAME_S = 0.25


class Run(Protocol):
    """A playbook run under way."""

    def next_event(self, wait_s: float) -> Mapping[str, Any] | None: ...
    def end(self) -> End | None: ...
    def cancel(self) -> None: ...


class RunnerRun:
    """ansible-runner in a thread of its own; its events come through a queue."""

    def __init__(self, order: Order, project: Project, folder: Path) -> None:
        self._events: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._cancelled = False
        # Imported late: it takes 0.1 s that the other verbs should not wait for.
        runner = importlib.import_module("ansible_runner")
        self._thread, self._runner = runner.run_async(
            private_data_dir=str(folder),
            project_dir=str(project.root),
            playbook=str(project.root / order.playbook),
            inventory=str(order.inventory),
            limit=order.limit,
            tags=order.tags,
            cmdline="--check --diff" if order.check else None,
            extravars=dict(order.extra) or None,
            envvars=_environment(project),
            ident="run",
            quiet=True,
            suppress_env_files=True,
            event_handler=self._take,
            cancel_callback=lambda: self._cancelled,
        )

    def _take(self, event: Mapping[str, Any]) -> bool:
        self._events.put(event)
        return True

    def next_event(self, wait_s: float) -> Mapping[str, Any] | None:
        try:
            return self._events.get(timeout=wait_s)
        except queue.Empty:
            return None

    def end(self) -> End | None:
        if self._thread.is_alive() or not self._events.empty():
            return None
        code = self._runner.rc
        return End(str(self._runner.status), 1 if code is None else int(code))

    def cancel(self) -> None:
        self._cancelled = True
        self._thread.join(timeout=30)


def _environment(project: Project) -> dict[str, str]:
    """The tools of this program's own environment need not be on the operator's PATH."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**project.ansible_environment(), "PATH": tools, "ANSIBLE_NOCOLOR": "1"}


def start(order: Order, project: Project) -> Progress:
    if not (project.root / order.playbook).is_file():
        raise ProjectError(
            f"The playbook {order.playbook} does not exist in {project.root}.",
            code="playbook-missing",
            remedy="Is the checkout complete, and of the same version as npufleet?",
        )
    folder = _new_folder(project, order.verb)
    return Progress(order.verb, follow(order, lambda: RunnerRun(order, project, folder), folder))


def _new_folder(project: Project, verb: str) -> Path:
    """One folder a run, named by time; it holds the events and what Ansible printed."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = project.runs / f"{stamp}-{verb}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise ProjectError(
            f"The folder for the record of this run, {folder}, cannot be made: {error.strerror}.",
            code="runs-not-writable",
            remedy="Make the checkout's build/ writable for you.",
        ) from None
    return folder


def follow(order: Order, begin: Callable[[], Run], folder: Path) -> Generator[Frame, None, Result]:
    """Give a frame now and then, and at the end the result; an interrupt stops the playbook first."""
    tracker, started = Tracker(), time.monotonic()
    record = Record(folder, order)
    with signals_interrupt():
        run = begin()
        try:
            yield from _frames(order, run, tracker, started, record)
            end = run.end()
            assert end is not None, "the frames end with the run"
        except KeyboardInterrupt:
            run.cancel()
            end = End(CANCELED, 1)
    if not tracker.finished:
        tracker.cut_short()
    story = Story(order, tracker, end, time.monotonic() - started, folder)
    return _conclude(story, record)


def _conclude(story: Story, record: Record) -> Result:
    try:
        result = (story.order.conclude or playbook_result.conclude)(story)
    except NpufleetError as error:
        record.close(story, error.result(story.order.verb))
        raise
    record.close(story, result)
    return result


def _frames(order: Order, run: Run, tracker: Tracker, started: float, record: Record) -> Generator[Frame, None, None]:
    shown = 0.0
    while run.end() is None:
        event = run.next_event(FRAME_S)
        line = tracker.take(event) if event is not None else ""
        now = time.monotonic()
        if line or now - shown >= FRAME_S:
            shown = now
            elapsed = now - started
            record.note(tracker, elapsed)
            yield Frame(lambda elapsed=elapsed: view.progress(order.verb, tracker, elapsed), line)  # type: ignore[misc]  # bound now
