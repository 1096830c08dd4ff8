from __future__ import annotations

import pytest

from npufleet.playbook_events import DONE, FAILED, UNREACHABLE, NodeRun
from npufleet.preflight import NodeReport, judge
from npufleet.views import preflight as view
from unit.fleet.terminals import draw, draw_ascii, expect_snapshot
from unit.fleet.test_preflight import finding

SUMMARY = {
    "system": "Huawei Cloud EulerOS 2.0", "engine": {"version": "18.09.0"},
    "driver": {"driver_version": "23.0.6", "firmware_version": "7.1.0.9.220"},
    "counts": {"inventory": 8, "pci": 8, "/dev/davinci*": 7},
    "holders": [{"npus": [0, 1]}, {"npus": [1]}, {"npus": []}],
}  # fmt: skip
CLOCK = finding("clock", "warning")
NODES = [
    judge(NodeRun("lab-1", DONE, findings=[finding("npus", "error", "pass")], summary=SUMMARY)),
    judge(NodeRun("lab-2", FAILED, findings=[finding("npus", "error"), CLOCK], summary=SUMMARY)),
    judge(NodeRun("lab-3", DONE, findings=[CLOCK], summary={**SUMMARY, "engine": {"version": None}, "holders": []})),
    judge(NodeRun("lab-10", UNREACHABLE, message="connection timed out")),
]


@pytest.mark.parametrize("width", [80, 160])
def test_report(width: int) -> None:
    expect_snapshot(f"preflight-{width}", draw(view.report(NODES, 8, everything=False), width))


def test_a_finding_of_many_nodes_is_told_once() -> None:
    many = [judge(NodeRun(f"n{n}", DONE, findings=[CLOCK], summary=SUMMARY)) for n in range(500)]
    drawn = draw(view.report(many, 8, everything=False), 80)
    assert drawn.count("clock is wrong") == 1
    assert "and 494 more" in drawn
    assert len(drawn.splitlines()) < 35


def test_everything_shows_what_passed() -> None:
    assert "npus" not in draw(view.report(NODES[:1], 8, everything=False), 80)
    assert "● npus" in draw(view.report(NODES[:1], 8, everything=True), 80)


def test_ascii_and_nothing_at_all() -> None:
    assert "x lab-2" in draw_ascii(view.report(NODES, 8, everything=False))
    none: list[NodeReport] = []
    assert draw(view.report(none, 1, everything=False), 80).startswith("✖ preflight: 0 nodes")
