from __future__ import annotations

from datetime import UTC, datetime

import pytest

from npu_agent import api
from npufleet import survey
from npufleet.survey import Facts, NodeStatus
from npufleet.views import health as view
from unit.fleet.samples import make_facts, make_fleet, make_npu, sick_facts
from unit.fleet.terminals import draw, draw_ascii, expect_snapshot

NOW = datetime(2026, 1, 2, 5, 7, tzinfo=UTC)


def judged(facts: Facts) -> NodeStatus:
    return survey.take(make_fleet({"lab-2": facts}))[0]


@pytest.mark.parametrize("width", [80, 160])
def test_sick_node(width: int) -> None:
    expect_snapshot(f"health-{width}", draw(view.detail(judged(sick_facts()), NOW), width))


def test_ascii() -> None:
    assert draw_ascii(view.detail(judged(sick_facts()), NOW))


def test_what_is_not_known_is_a_dash_and_never_zero() -> None:
    drawn = draw(view.detail(judged(make_facts(npus=[make_npu(0, api.UNKNOWN)])), NOW), 80)
    row = next(line for line in drawn.splitlines() if line.startswith("  ? 0"))
    assert row.split() == ["?", "0", "unknown", "-", "-", "-", "-"]


def test_holder_is_named_by_its_kind() -> None:
    foreign = make_npu(0, holder=None)
    held = api.Npu(**{**vars(foreign), "holder": api.Holder("process", "python3", pid=4242)})
    assert "process python3 (pid 4242)" in draw(view.detail(judged(make_facts(npus=[held])), NOW), 100)
