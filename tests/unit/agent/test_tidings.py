from __future__ import annotations

import pytest

from npu_agent import tidings
from npu_agent.api_events import KINDS
from unit.agent.bench import Bench, spec


@pytest.mark.parametrize(
    ("change", "words", "kind", "subject"),
    [
        ("restart-planned", "workload job-1: it ended with exit code 1; restart 1 in 10 s", "workload", "job-1"),
        ("restarted", "workload job-1 is restarted", "workload", "job-1"),
        ("probe-failed", "workload a is stopped: its probe fails: no answer", "workload", "a"),
        ("cordoned", "NPU 3 is cordoned by alice (noise)", "cordon", "npu/3"),
        ("uncordoned", "alice lifts the cordon of NPU 3", "cordon", "npu/3"),
        ("cordoned", "the node is cordoned by alice", "cordon", "node"),
        ("uncordoned", "alice lifts the cordon of the node", "cordon", "node"),
    ],
)
def test_what_is_told_becomes_an_event(change: str, words: str, kind: str, subject: str) -> None:
    draft = tidings.event(change, words)
    assert draft is not None
    assert (draft.kind, draft.subject, draft.message, draft.data) == (kind, subject, words, {"change": change})
    assert draft.kind in KINDS


def test_what_a_new_state_tells_is_not_told_twice() -> None:
    assert tidings.event("started", "workload a is started on NPUs [0]") is None
    assert tidings.event("ended", "workload a ended, NPUs [0] are free") is None


def test_the_sentences_of_the_agent_itself_are_understood(bench: Bench) -> None:
    told: list[tuple[str, str]] = []
    bench.workloads.on_change = bench.workloads.cordons._on_change = lambda change, words: told.append((change, words))
    bench.workloads.put("job", spec())
    bench.workloads.restart("job")
    bench.workloads.cordons.put("alice", "noise", [3])
    bench.workloads.cordons.lift("alice", [3])
    bench.workloads.delete("job", 0)
    subjects = [draft.subject for draft in (tidings.event(*one) for one in told) if draft is not None]
    assert subjects == ["job", "npu/3", "npu/3", "job"]
