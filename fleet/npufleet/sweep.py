"""Asks many agents at once; a dead or hanging node costs its own time-out and nothing else."""

from __future__ import annotations

import contextlib
import gc
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from npufleet.agent_client import AgentClient
from npufleet.agent_errors import GarbageError, UnreachableError
from npufleet.errors import AgentError
from npufleet.inventory import Node

T = TypeVar("T")

# Python runs one thread at a time: more of them than keep the network busy only get into each other's way. One that
# waits for a silent node is replaced, so that any number of such nodes costs one time-out in all.
WORKERS = 16
MOST_WORKERS = 512
PATIENCE_S = 0.15


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What one node said: a value or a problem, never both."""

    node: Node
    value: T | None = None
    problem: AgentError | None = None
    took_s: float = 0.0


def sweep(
    clients: Sequence[AgentClient],
    call: Callable[[AgentClient], T],
    *,
    workers: int = WORKERS,
    deadline_s: float = 30.0,
) -> list[Answer[T]]:
    """Answer in the order of the clients, and never raise for a node: its problem is its answer.

    `deadline_s` is the last resort against an answer that trickles in byte by byte; the clients' own time-outs come
    first. Threads are daemons, so that an interrupt ends the program at once.
    """
    with _collector_at_rest():
        return _Sweep(clients, call, deadline_s).run(workers)


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """A sweep makes a million objects and hardly a cycle: the collector would look through them all, ever again."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


class _Sweep(Generic[T]):
    def __init__(self, clients: Sequence[AgentClient], call: Callable[[AgentClient], T], deadline_s: float) -> None:
        self._clients = clients
        self._call = call
        self._deadline_s = deadline_s
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Answer[T]]] = queue.SimpleQueue()
        self._started: dict[int, float] = {}
        self._relieved: set[int] = set()
        self._workers = 0
        self._looked = time.monotonic()

    def run(self, workers: int) -> list[Answer[T]]:
        for index in range(len(self._clients)):
            self._waiting.put(index)
        for _ in range(min(workers, len(self._clients))):
            self._start_worker()
        answers: dict[int, Answer[T]] = {}
        while len(answers) < len(self._clients):
            self._collect(answers)
        return [answers[index] for index in range(len(self._clients))]

    def _start_worker(self) -> None:
        self._workers += 1
        threading.Thread(target=self._work, name="sweep", daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                index = self._waiting.get_nowait()
            except queue.Empty:
                return
            self._started[index] = time.monotonic()
            self._done.put((index, _ask(self._clients[index], self._call)))

    def _collect(self, answers: dict[int, Answer[T]]) -> None:
        with contextlib.suppress(queue.Empty):
            index, answer = self._done.get(timeout=min(PATIENCE_S, self._deadline_s))
            answers.setdefault(index, answer)
        now = time.monotonic()
        if now - self._looked > min(PATIENCE_S, self._deadline_s):
            self._looked = now
            self._look_after(answers, now)

    def _look_after(self, answers: dict[int, Answer[T]], now: float) -> None:
        for index, started in list(self._started.items()):
            if index in answers:
                continue
            waits_s = now - started
            if waits_s > self._deadline_s:
                answers[index] = _overdue(self._clients[index].node, self._deadline_s)
            if waits_s > min(PATIENCE_S, self._deadline_s) and index not in self._relieved:
                self._relieve(index)

    def _relieve(self, index: int) -> None:
        """Put another worker in the place of one that waits, as long as there is something to do for it."""
        if self._workers < MOST_WORKERS and not self._waiting.empty():
            self._relieved.add(index)
            self._start_worker()


def _ask(client: AgentClient, call: Callable[[AgentClient], T]) -> Answer[T]:
    started = time.monotonic()
    try:
        value = call(client)
    except AgentError as problem:
        return Answer(client.node, problem=problem, took_s=time.monotonic() - started)
    except Exception as error:  # noqa: BLE001  # one node's odd answer must not hide the others'
        garbage = GarbageError(
            f"{client.node.name} gave an answer that npufleet cannot work with: {type(error).__name__}: {error}.",
            remedy="Please report this, with the output of npufleet health for this node.",
            node=client.node.name,
        )
        return Answer(client.node, problem=garbage, took_s=time.monotonic() - started)
    return Answer(client.node, value=value, took_s=time.monotonic() - started)


def _overdue(node: Node, deadline_s: float) -> Answer[T]:
    problem = UnreachableError(
        f"{node.name} is unreachable: it did not finish its answer within {deadline_s:g} s.",
        remedy="See journalctl -u npu-agent on the node.",
        node=node.name,
    )
    return Answer(node, problem=problem, took_s=deadline_s)
