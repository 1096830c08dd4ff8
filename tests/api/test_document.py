"""The OpenAPI document is the implementation's: schemathesis asks what it allows and more, and judges every answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema

from npu_agent import auth
from npu_agent.http.app import ENDPOINTS
from unit.agent import fake_engine
from unit.agent.bench import Bench, prepared
from unit.agent.http.client import OPERATOR, Api

# More of them are tried at night than at every change.
EXAMPLES = int(os.environ.get("NPUFLEET_API_EXAMPLES", "5"))
CONFIG: dict[str, Any] = {
    "seed": 1,
    "headers": {"Authorization": f"Bearer {OPERATOR}"},
    "generation": {"max-examples": EXAMPLES, "database": "none"},
    "phases": {"stateful": {"max-steps": 8}},
    "checks": {
        # What fits its schema may still ask what a guard, the policy or the state of the node forbids.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "412", "422", "503"]},
    },
}


class EndedLogs(fake_engine.FakeLogs):
    """What is followed ends at once, because a test waits for the whole of an answer."""

    def __init__(self, chunks: list[bytes], *, follow: bool) -> None:
        super().__init__(chunks, follow=False)


class Found:
    """What a run of all phases found, and how much it did."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.calls: dict[str, int] = {}
        self.operations: set[str] = set()

    def note(self, event: events.EngineEvent) -> None:
        if isinstance(event, (events.NonFatalError, events.FatalError)):
            self.failures.append(str(event.info if isinstance(event, events.NonFatalError) else event.exception))
        if isinstance(event, events.ScenarioFinished):
            recorder = event.recorder
            self.calls[event.phase.value] = self.calls.get(event.phase.value, 0) + len(recorder.interactions)
            self.operations |= {node.value.operation.label for node in recorder.cases.values()}
            for nodes in recorder.checks.values():
                for check in nodes:
                    if check.failure_info is not None:
                        self.failures.append(_words(check.failure_info.failure, check.failure_info.code_sample))


def _words(failure: Failure, sample: str) -> str:
    return f"{failure.operation}: {failure.title}: {failure.message}\n    {sample[:1000]}"


def run(folder: Path) -> Found:
    found = Found()
    bench = Bench(folder, prepared(folder))
    for agent in Api(bench).open():
        agent.service.history.close()
        config = SchemathesisConfig.from_dict(CONFIG)
        document = schemathesis.openapi.from_asgi("/openapi.json", agent.outside.app, config=config)
        for event in from_schema(document).execute():
            found.note(event)
    bench.close()
    return found


def test_every_answer_is_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_engine, "FakeLogs", EndedLogs)
    monkeypatch.setattr(auth, "FAILURES_ALLOWED", 10_000)  # it tries wrong tokens for every operation
    found = run(tmp_path)
    print(found.calls)
    assert not found.failures, "\n".join(sorted(set(found.failures)))
    # It asks for everything but the document itself, which it has.
    assert found.operations == {f"{one.method} {one.path}" for one in ENDPOINTS} - {"GET /openapi.json"}
    assert all(found.calls[phase] for phase in ("coverage", "fuzzing", "stateful"))
