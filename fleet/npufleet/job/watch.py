"""Watches a job from here, since no agent knows of the others, and does what the job says when a node fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from npu_agent import api
from npufleet.agent_errors import RefusedError, UnreachableError
from npufleet.errors import AgentError
from npufleet.fleet import Fleet
from npufleet.job.layout import NONE, Layout
from npufleet.sweep import Answer

POLL_S = 2.0
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Verdict:
    """How it ended: `failed` tells by node why its rank failed, and is empty where every rank ended well."""

    failed: Mapping[str, str] = field(default_factory=dict)
    unreachable: frozenset[str] = frozenset()
    workloads: Mapping[str, api.Workload] = field(default_factory=dict)


@dataclass
class Watcher:
    """`clock` counts seconds monotonically."""

    fleet: Fleet
    name: str
    nodes: Sequence[str]
    layout: Layout
    clock: Callable[[], float] = time.monotonic
    sleep: Sleep = time.sleep
    silent_since: dict[str, float] = field(default_factory=dict)
    seen: dict[str, api.Workload] = field(default_factory=dict)

    def follow(self) -> Generator[str, None, Verdict]:
        """Look until all ranks have ended, or one has failed where the job does not let the others go on alone."""
        told = ""
        while True:
            failed, unreachable = self._look()
            words = self._words(failed)
            if words != told:
                told = words
                yield words
            ended = all(self._over(node, failed) for node in self.nodes)
            if ended or (failed and self.layout.on_failure != NONE):
                return Verdict(failed, frozenset(unreachable), dict(self.seen))
            self.sleep(POLL_S)

    def _look(self) -> tuple[dict[str, str], set[str]]:
        failed: dict[str, str] = {}
        unreachable: set[str] = set()
        for answer in self.fleet.ask(lambda client: client.workload(self.name), self.nodes):
            why = self._judge(answer)
            if why is not None:
                failed[answer.node.name] = why
                if isinstance(answer.problem, UnreachableError):
                    unreachable.add(answer.node.name)
        return failed, unreachable

    def _judge(self, answer: Answer[api.Workload]) -> str | None:
        """Why a node's rank has failed, or None. A node that is silent is waited for, as long as the job says."""
        node = answer.node.name
        if answer.value is not None:
            self.silent_since.pop(node, None)
            self.seen[node] = answer.value
            return why_failed(answer.value)
        if isinstance(answer.problem, RefusedError) and answer.problem.document.code == api.CODE_NOT_FOUND:
            return "its workload is gone: somebody stopped it"
        return self._silence(node, answer.problem)

    def _silence(self, node: str, problem: AgentError | None) -> str | None:
        silent = self.clock() - self.silent_since.setdefault(node, self.clock())
        if silent < self.layout.unreachable_after_s:
            return None
        return f"no answer for {silent:.0f} s: {problem}"

    def _over(self, node: str, failed: Mapping[str, str]) -> bool:
        workload = self.seen.get(node)
        ended = workload is not None and node not in self.silent_since and workload.state == api.EXITED
        return node in failed or ended

    def _words(self, failed: Mapping[str, str]) -> str:
        return "; ".join(
            f"rank {rank} on {node}: {failed.get(node) or self._state(node)}" for rank, node in enumerate(self.nodes)
        )

    def _state(self, node: str) -> str:
        workload = self.seen.get(node)
        state = workload.state if workload else "not seen yet"
        return f"{state}, but silent now" if node in self.silent_since else state


def why_failed(workload: api.Workload) -> str | None:
    if workload.state == api.FAILED or (workload.state == api.EXITED and workload.exit_code != 0):
        return workload.reason or f"its workload has {workload.state}"
    return None
