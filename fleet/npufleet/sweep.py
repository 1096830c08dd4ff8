"""Asks many agents at once; a dead or hanging node costs its own time-out and nothing else."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from npufleet.agent_client import AgentClient
from npufleet.agent_errors import GarbageError, UnreachableError
from npufleet.errors import AgentError
from npufleet.inventory import Node

T = TypeVar("T")

WORKERS = 64


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
    return _Sweep(clients, call, deadline_s).run(workers)


class _Sweep(Generic[T]):
    def __init__(self, clients: Sequence[AgentClient], call: Callable[[AgentClient], T], deadline_s: float) -> None:
        self._clients = clients
        self._call = call
        self._deadline_s = deadline_s
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Answer[T]]] = queue.SimpleQueue()
        self._started: dict[int, float] = {}

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
        try:
            index, answer = self._done.get(timeout=min(0.2, self._deadline_s))
            answers.setdefault(index, answer)
        except queue.Empty:
            self._give_up_overdue(answers)

    def _give_up_overdue(self, answers: dict[int, Answer[T]]) -> None:
        now = time.monotonic()
        for index, started in list(self._started.items()):
            if index not in answers and now - started > self._deadline_s:
                answers[index] = _overdue(self._clients[index].node, self._deadline_s)
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
