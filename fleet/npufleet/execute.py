"""Runs one command on many nodes at once, and keeps each one's output and exit code."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from npufleet import remote
from npufleet.interrupts import signals_interrupt
from npufleet.inventory import Node
from npufleet.result import Exit, Failure, Frame, Result
from npufleet.views import execute as view

DONE = "done"
TIMEOUT = "timeout"
UNREACHABLE = "unreachable"
INTERRUPTED = "interrupted"
PATIENCE_S = 0.5


@dataclass(frozen=True)
class Done:
    """What came of it on one node; without an exit code the command did not end by itself."""

    node: str
    state: str
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    took_s: float = 0.0
    cause: str = ""

    @property
    def fine(self) -> bool:
        return self.state == DONE and self.exit_code == 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Execution:
    nodes: Sequence[Node]
    command: str
    container: str | None = None
    timeout_s: float | None = None
    parallel: int = 32
    connect: Callable[[Node], Any] = remote.connect
    _open: dict[str, Any] = field(default_factory=dict)
    _started: dict[str, float] = field(default_factory=dict)

    def steps(self) -> Generator[Frame, None, Result]:
        done: dict[str, Done] = {}
        with signals_interrupt():
            try:
                yield from self._follow(done)
            except (KeyboardInterrupt, GeneratorExit):
                self._break_off(done)
        return self._result([done[node.name] for node in self.nodes])

    def _follow(self, done: dict[str, Done]) -> Generator[Frame, None, None]:
        waiting: queue.SimpleQueue[Node] = queue.SimpleQueue()
        ended: queue.SimpleQueue[Done] = queue.SimpleQueue()
        for node in self.nodes:
            waiting.put(node)
        for _ in range(min(self.parallel, len(self.nodes))):
            threading.Thread(target=self._work, args=(waiting, ended), name="exec", daemon=True).start()
        while len(done) < len(self.nodes):
            line = ""
            with suppress(queue.Empty):
                one = ended.get(timeout=PATIENCE_S)
                done[one.node] = one
                line = view.line(one)
            left = [node.name for node in self.nodes if node.name not in done]
            yield Frame(lambda left=left: view.progress(left, len(self.nodes)), line)  # type: ignore[misc]  # bound now

    def _work(self, waiting: queue.SimpleQueue[Node], ended: queue.SimpleQueue[Done]) -> None:
        while True:
            try:
                node = waiting.get_nowait()
            except queue.Empty:
                return
            ended.put(self._on(node))

    def _on(self, node: Node) -> Done:
        from invoke.exceptions import CommandTimedOut  # noqa: PLC0415  # comes with Fabric, which is slow to import

        begun = self._started[node.name] = time.monotonic()
        connection = self._open[node.name] = self.connect(node)
        line = remote.guarded(self.command, container=self.container, sudo=remote.needs_sudo(node))
        try:
            ran = connection.run(line, hide=True, warn=True, in_stream=False, timeout=self.timeout_s, encoding="utf-8")
            state, code = DONE, ran.exited
        except CommandTimedOut as error:
            ran, state, code = error.result, TIMEOUT, None
        except Exception as error:  # noqa: BLE001  # paramiko raises what its layers do: each is a node not reached
            return Done(node.name, UNREACHABLE, took_s=time.monotonic() - begun, cause=_cause(node, error))
        finally:
            with suppress(Exception):
                connection.close()
        return Done(node.name, state, code, ran.stdout, ran.stderr, round(time.monotonic() - begun, 3))

    def _break_off(self, done: dict[str, Done]) -> None:
        """Hang up: the guard on each node ends the command there."""
        for node in self.nodes:
            if node.name not in done:
                with suppress(Exception):
                    self._open[node.name].close()
                began = node.name in self._started
                cause = "ended by the interrupt" if began else "not begun when the interrupt came"
                done[node.name] = Done(node.name, INTERRUPTED, cause=cause)

    def _result(self, done: Sequence[Done]) -> Result:
        bad = [one for one in done if not one.fine]
        unreachable = sum(one.state == UNREACHABLE for one in done)
        if not bad:
            code = Exit.FINE
        elif unreachable == len(done):
            code = Exit.UNREACHABLE
        else:
            code = Exit.FAILED if len(bad) == len(done) else Exit.PARTLY
        return Result(
            "exec", data={"command": self.command, "nodes": [one.to_dict() for one in done]},
            errors=tuple(self._failure(one) for one in bad), exit_code=code, view=lambda: view.outputs(done),
            view_tells_errors=True,
        )  # fmt: skip

    def _failure(self, one: Done) -> Failure:
        if one.state == DONE:
            return Failure("exec-failed", f"{one.node}: exit code {one.exit_code}", "", one.node)
        if one.state == TIMEOUT:
            told = f"{one.node}: not ended after {self.timeout_s:g} s, and ended by force"
            return Failure("exec-timeout", told, "Give it longer with --timeout.", one.node)
        return Failure(f"exec-{one.state}", f"{one.node}: {one.cause}", "", one.node)


def _cause(node: Node, error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    return f"no SSH to {node.ssh.host}: {said}"
