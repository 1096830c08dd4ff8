"""What an agent was asked and what it answered: the test's own book, kept apart from everything the agent writes."""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import requests
from urllib3.exceptions import NewConnectionError

from support.nodes import Node

PRESENT = "present"
ABSENT = "absent"
UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Promise:
    """What the last answers say of a name. `turn` is new with every request, so a change meanwhile can be noticed.

    `harmed` says that the test itself took the container away: the workload must be told of, its container not.
    """

    state: str
    turn: int
    asked: bool = False  # a request is under way
    document: dict[str, Any] = field(default_factory=dict)
    harmed: bool = False


class Ledger:
    """Sends requests and writes down what came of them; any number of threads, but one at a time for a name.

    `cycle_s` is how long what disagrees may last: the agent's interval and the look itself. `checked` counts what
    violations() has compared, and `broken` are the violations that the answers themselves are.
    """

    def __init__(self, cycle_s: float = 8.0) -> None:
        self.cycle_s = cycle_s
        self.checked = 0
        self.requests: collections.Counter[str] = collections.Counter()
        self.broken: list[str] = []
        self.suspicions: dict[str, float] = {}  # since when, in the time that violations() is told
        self._promises: dict[str, Promise] = {}
        self._turn = 0
        self._lock = threading.Lock()

    def put(self, node: Node, name: str, **spec: Any) -> requests.Response | None:
        """None where no answer came: then nothing is known of the name but what is seen."""
        return self._ask(node, "PUT", name, json={"name": name, **spec})

    def delete(self, node: Node, name: str, grace_s: int = 1) -> requests.Response | None:
        return self._ask(node, "DELETE", name, params={"grace_s": grace_s})

    def harmed(self, name: str) -> None:
        """The test took the workload's container away."""
        with self._lock:
            self._turn += 1
            before = self._promises[name]
            self._promises[name] = replace(before, turn=self._turn, harmed=True)

    def promises(self) -> dict[str, Promise]:
        with self._lock:
            return dict(self._promises)

    def _ask(self, node: Node, method: str, name: str, **options: Any) -> requests.Response | None:
        with self._lock:
            before = self._promises.get(name, Promise(ABSENT, 0))
            self._turn += 1
            self._promises[name] = Promise(UNCERTAIN, self._turn, asked=True)
        answer, sent = None, True
        try:
            answer = node.api(method, f"/v1/workloads/{name}", **options)
        except requests.RequestException as error:
            sent = not _never_sent(error)
        finally:
            with self._lock:
                self._turn += 1
                self.requests[f"{method} {answer.status_code if answer is not None else 'unanswered'}"] += 1
                self._promises[name] = self._after(method, name, before, answer) if sent else self._as_was(before)
        return answer

    def _as_was(self, before: Promise) -> Promise:
        return replace(before, turn=self._turn, asked=False)

    def _after(self, method: str, name: str, before: Promise, answer: requests.Response | None) -> Promise:
        status = answer.status_code if answer is not None else 0
        kept = before.state == PRESENT and not before.harmed
        if method == "PUT" and answer is not None and status in {200, 201}:
            if status == 201 and kept:
                self.broken.append(f"PUT of {name} was acknowledged twice as new: the first one was forgotten")
            return Promise(PRESENT, self._turn, document=answer.json())
        if method == "DELETE" and status in {200, 404}:
            if status == 404 and before.state == PRESENT:
                self.broken.append(f"DELETE of {name} finds nothing, although its PUT was acknowledged")
            return Promise(ABSENT, self._turn)
        if 400 <= status < 500:  # refused: what was true is true
            return self._as_was(before)
        if before.state == {"PUT": PRESENT, "DELETE": ABSENT}[method]:  # whatever became of it, it changes nothing
            return self._as_was(before)
        return Promise(UNCERTAIN, self._turn)


def _never_sent(error: requests.RequestException) -> bool:
    """Whether not even a connection was made; TLS that was cut while shaking hands is not told from later."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)
