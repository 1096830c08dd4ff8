"""The agent killed at a chosen moment, and started again."""

from __future__ import annotations

from typing import Any

import pytest

from unit.agent.bench import Bench, spec
from unit.agent.fake_engine import undisturbed


class Crash(BaseException):
    """The agent is killed here: nothing after this line runs."""


def crash_at(bench: Bench, operation: str, occurrence: int = 1) -> None:
    seen = 0

    def before(current: str) -> None:
        nonlocal seen
        seen += current.startswith(operation)
        if current.startswith(operation) and seen == occurrence:
            raise Crash

    bench.engine.before = before


def killed(bench: Bench, action: Any) -> None:
    with pytest.raises(Crash):
        action()
    bench.engine.before = undisturbed
    bench.restart()


def start(bench: Bench, **changes: Any) -> str:
    container = bench.workloads.put("job", spec(**changes))[0].container_id
    assert container is not None
    return container
