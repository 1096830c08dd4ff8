from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import requests
from rich.console import RenderableType

from npu_agent import api
from npufleet import survey
from npufleet.testing import Reply
from npufleet.views import status as view
from unit.fleet.samples import make_facts, make_fleet, make_npus, make_workload, sick_facts
from unit.fleet.terminals import draw, draw_ascii, expect_snapshot

MIXED: dict[str, Any] = {
    "lab-1": make_facts(
        npus=make_npus(held={3: "hello-npu", 4: "hello-npu"}), workloads=[make_workload("hello-npu", (3, 4))]
    ),
    "lab-2": sick_facts(),
    "lab-3": requests.ConnectTimeout(),
    "lab-4": {"GET /v1/node": Reply(body=b"<html>")},
    "lab-10": make_facts("lab-10", components=[api.Component("nic", api.DEGRADED, "MTU differs", "fix-configuration")]),
    "a3-in-row-7": make_facts(
        npus=make_npus(16, bad={9: api.UNKNOWN}), ready=False, state=api.UNKNOWN,
        components=[api.Component("npu/9", api.UNKNOWN, "the last good answer is 95 s old", "check-driver")],
    ),
}  # fmt: skip


def overview(answers: dict[str, Any]) -> RenderableType:
    statuses = survey.take(make_fleet(answers))
    return view.overview(statuses, survey.summarize(statuses))


@pytest.mark.parametrize("width", [80, 160])
def test_mixed_fleet(width: int) -> None:
    drawn = draw(overview(MIXED), width)
    expect_snapshot(f"status-{width}", drawn)
    assert max(len(line) for line in drawn.splitlines()) <= width


def test_mixed_fleet_on_a_terminal_without_utf8() -> None:
    expect_snapshot("status-ascii", draw_ascii(overview(MIXED)))


def test_fleet_that_is_fine_says_only_that() -> None:
    drawn = draw(overview({"lab-1": make_facts(), "lab-2": make_facts("lab-2")}), 80)
    assert drawn.splitlines()[-2:] == ["  2 nodes: 2 ready", "  NPUs: 16 free"]
    assert len(drawn.splitlines()) == 6


def test_unknown_never_looks_healthy() -> None:
    npus = [api.Npu(npu=n, state=state) for n, state in enumerate(("unknown", "splendid", ""))]
    assert view.npu_cells(npus, plain=False).plain == "???"


def test_many_reasons_are_left_to_the_nodes_own_page() -> None:
    parts = [api.Component(f"disk/{n}", api.DEGRADED, f"reason {n}") for n in range(9)]
    drawn = draw(overview({"lab-1": make_facts(components=parts)}), 80)
    assert "reason 2" in drawn
    assert "reason 3" not in drawn
    assert "and 6 more: npufleet health lab-1" in drawn


def test_screen_that_renews_itself_tells_its_time() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5).astimezone()
    assert "npufleet status, 03:04:05" in draw(view.with_time(overview({"lab-1": make_facts()}), at), 80)


def test_large_fleet_is_folded_and_its_notice_comes_first() -> None:
    answers = {f"n-{n}": make_facts(f"n-{n}") for n in range(2, 61)}
    statuses = survey.take(make_fleet({**answers, "n-1": sick_facts("n-1")}))
    folded = view.overview(statuses, survey.summarize(statuses), everything=False, notices=("THIS IS A TEST",))
    lines = draw(folded, 80).splitlines()
    assert lines[0].strip() == "THIS IS A TEST"
    assert [line.split()[1:5] for line in lines if line.startswith("  ●")] == [["npu_nodes", "59", "of", "60"]]
    assert len(lines) < 12


def test_of_many_bad_nodes_the_rest_is_counted() -> None:
    statuses = survey.take(make_fleet({f"n-{n}": sick_facts(f"n-{n}") for n in range(40)}))
    assert "and 15 more that are not fine" in draw(
        view.overview(statuses, survey.summarize(statuses), everything=False), 100
    )
