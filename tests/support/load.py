"""A load of starts and stops: clients that go on whatever happens to the node, each with names of its own."""

from __future__ import annotations

import random
import threading
from types import TracebackType
from typing import Any, Self

from support.ledger import ABSENT, PRESENT, Ledger
from support.nodes import Node
from support.workloads import IMAGE, SLEEP

# What an agent in trouble may answer; anything else, such as a 500, is a fault of its own.
_EXPECTED = {"PUT": {200, 201, 409, 503}, "DELETE": {200, 404, 409, 503}}
_PAUSE_S = 0.1


class Load:
    """`unexpected` are answers that no agent should give, whatever was done to it."""

    def __init__(self, node: Node, ledger: Ledger, chance: random.Random, clients: int = 3) -> None:
        self.unexpected: list[str] = []
        self._node = node
        self._ledger = ledger
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._go_on, args=(number, random.Random(chance.random())), daemon=True)
            for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(120)
        if error is None:
            assert self.unexpected == []

    def _go_on(self, number: int, chance: random.Random) -> None:
        names = [f"load-{number}-{letter}" for letter in "ab"]
        while not self._stopping.is_set():
            self._once(chance.choice(names), chance)
            self._stopping.wait(_PAUSE_S)

    def _once(self, name: str, chance: random.Random) -> None:
        """Start what is stopped and stop what is started; now and then ask for what is already so."""
        promise = self._ledger.promises().get(name)
        state = promise.state if promise is not None else ABSENT
        starts = chance.random() < {PRESENT: 0.2, ABSENT: 0.95}.get(state, 0.5)
        if starts:
            answer = self._ledger.put(self._node, name, **spec(name))
        else:
            answer = self._ledger.delete(self._node, name, grace_s=0)
        method = "PUT" if starts else "DELETE"
        if answer is not None and answer.status_code not in _EXPECTED[method]:
            self.unexpected.append(f"{method} {name}: {answer.status_code} {answer.text[:300]}")


def spec(name: str) -> dict[str, Any]:
    """The same for a name at every turn, so that asking again asks for nothing new."""
    npus: Any = 1 if name.endswith("a") else 2
    return {"image": IMAGE, "npus": npus, "command": SLEEP, "restart": "always"}
