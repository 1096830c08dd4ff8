"""Runs a playbook of the checkout through ansible-runner and tells of it while it goes on."""

from __future__ import annotations

import importlib
import os
import queue
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from npufleet import playbook_events as events
from npufleet.errors import ProjectError
from npufleet.playbook_events import NodeRun, Tracker
from npufleet.project import Project
from npufleet.result import Exit, Failure, Frame, Message, Progress, Result, spread
from npufleet.views import playbook as view

# Redrawing more often tells nobody more, and the run needs the processor itself.
FRAME_S = 0.25


@dataclass(frozen=True)
class Order:
    """What to run, on what, and how."""

    verb: str
    playbook: str
    inventory: Path
    limit: str | None = None
    tags: str | None = None
    check: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """How ansible-playbook ended: its status in ansible-runner's words, and its exit code."""

    status: str
    code: int


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
    run = begin()
    try:
        yield from _frames(order, run, tracker, started)
    except KeyboardInterrupt:
        run.cancel()
        return _result(order, tracker, folder, End("canceled", 1), time.monotonic() - started)
    end = run.end()
    assert end is not None, "the frames end with the run"
    return _result(order, tracker, folder, end, time.monotonic() - started)


def _frames(order: Order, run: Run, tracker: Tracker, started: float) -> Generator[Frame, None, None]:
    shown = 0.0
    while run.end() is None:
        event = run.next_event(FRAME_S)
        line = tracker.take(event) if event is not None else ""
        now = time.monotonic()
        if line or now - shown >= FRAME_S:
            shown = now
            elapsed = now - started
            yield Frame(lambda elapsed=elapsed: view.progress(order.verb, tracker, elapsed), line)  # type: ignore[misc]  # bound now


def _result(order: Order, tracker: Tracker, folder: Path, end: End, took_s: float) -> Result:
    if not tracker.finished:
        tracker.cut_short()
    nodes = list(tracker.nodes.values())
    return Result(
        command=order.verb,
        data={
            "playbook": order.playbook,
            "check": order.check,
            "took_s": round(took_s, 1),
            "record": str(folder),
            "nodes": [_to_dict(node) for node in nodes],
        },
        messages=(Message("info", f"record: {_record(folder)}"),),
        errors=_failures(tracker, end, nodes),
        exit_code=_exit_code(end, nodes),
        view=lambda: view.summary(order.verb, nodes, took_s),
        view_tells_errors=tracker.finished and any(node.state != events.DONE for node in nodes),
    )


def _record(folder: Path) -> str:
    """The whole story as Ansible printed it; from the current folder where that is shorter."""
    path = folder / "artifacts" / "run" / "stdout"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _to_dict(node: NodeRun) -> dict[str, Any]:
    return {
        "node": node.name,
        "state": node.state,
        "done": node.done,
        "changed": node.changed,
        "stage": node.stage,
        "task": node.task,
        "message": node.message,
        "findings": node.findings,
    }


def _failures(tracker: Tracker, end: End, nodes: list[NodeRun]) -> tuple[Failure, ...]:
    told = [_node_failure(node) for node in nodes if node.state in {events.FAILED, events.UNREACHABLE}]
    if end.status == "canceled":
        told.append(Failure("interrupted", "Stopped by the operator.", "Run it again: what is done stays done."))
    elif end.code != 0 and not told:
        said = " ".join(tracker.complaints) or "Ansible gave no reason"
        told.append(Failure("playbook-failed", said, "See the record of the run."))
    elif not nodes:
        told.append(Failure("no-nodes", "The playbook found no node to run on.", "Check --limit and the inventory."))
    return tuple(told)


def _node_failure(node: NodeRun) -> Failure:
    if node.state == events.UNREACHABLE:
        message = f"{node.name} cannot be reached by SSH: {node.message}"
        return Failure(
            "ssh-unreachable", message, f"Try it by hand: ssh to {node.name}, with the inventory's key.", node.name
        )
    where = f"{node.stage}: {node.task}" if node.stage else node.task
    return Failure("task-failed", f"{node.name}: {where}: {node.message}", "See the record of the run.", node.name)


def _exit_code(end: End, nodes: list[NodeRun]) -> Exit:
    failed = sum(node.state == events.FAILED for node in nodes)
    unreachable = sum(node.state == events.UNREACHABLE for node in nodes)
    if end.status == "canceled" or not nodes or (end.code and not failed + unreachable):
        return Exit.FAILED
    return Exit.FAILED if failed + unreachable == len(nodes) and failed else spread(failed, unreachable, len(nodes))
