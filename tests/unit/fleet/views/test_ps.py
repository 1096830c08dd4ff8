from __future__ import annotations

from datetime import UTC, datetime

import pytest

from npufleet.result import Failure
from npufleet.views import ps as view
from npufleet.workloads import Placed
from unit.fleet.samples import SINCE, make_workload
from unit.fleet.terminals import draw, expect_snapshot

NOW = datetime(2026, 1, 2, 5, 7, tzinfo=UTC)
PLACED = [
    Placed("lab-1", make_workload("hello-npu", (3, 4))),
    Placed(
        "lab-2",
        make_workload(
            "train-gpt", (0, 1, 2, 3, 5), state="failed", exit_code=137, finished_at=SINCE,
            reason="killed: out of memory", image="registry.example/ascend/train-pytorch:24.1",
        ),
    ),
    Placed("lab-2", make_workload("waiting", (), state="pending", started_at=None)),
]  # fmt: skip


@pytest.mark.parametrize("width", [80, 160])
def test_workloads(width: int) -> None:
    expect_snapshot(f"ps-{width}", draw(view.listing(PLACED, (), NOW), width))


def test_nothing_runs_is_said_only_when_all_were_seen() -> None:
    assert draw(view.listing([], ()), 80) == "  No workloads.\n"
    assert draw(view.listing([], [Failure("unreachable", "x")]), 80) == "  No workloads on the nodes that answered.\n"
