from __future__ import annotations

import pytest

from npufleet.playbook_events import NodeRun, Tracker
from npufleet.views import playbook as view
from unit.fleet.terminals import draw, expect_snapshot

NODES = [
    NodeRun("lab-1", "done", "agent", "Start", 41, 12),
    NodeRun("lab-2", "failed", "docker", "Install the engine", 7, 1, "No package docker available.\nRun apt update."),
    NodeRun("lab-10", "unreachable", "preflight", "Read the node", 0, 0, "connection timed out"),
    NodeRun(
        "lab-3", "done", "agent", "Start", 41, 0,
        findings=[
            {"id": "os", "severity": "error", "state": "pass", "text": "known system", "tip": ""},
            {"id": "driver", "severity": "warning", "state": "fail", "text": "driver 23.0.1 is too old",
             "tip": "install 23.0.6"},
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize("width", [80, 160])
def test_summary(width: int) -> None:
    expect_snapshot(f"prepare-{width}", draw(view.summary("prepare", NODES, 95), width))


def test_findings_are_not_told_twice() -> None:
    finding = {"id": "npus", "severity": "error", "state": "fail", "text": "7 NPUs, not 8", "tip": "look at dmesg"}
    node = NodeRun(
        "a", "failed", "preflight", "Stop", message="a: [npus] 7 NPUs, not 8 look at dmesg", findings=[finding]
    )
    assert draw(view.summary("preflight", [node], 5), 80).count("7 NPUs") == 1


def test_summary_of_many_nodes_fits_a_screen() -> None:
    many = [NodeRun(f"n{n}", "done", done=41) for n in range(500)]
    assert draw(view.summary("prepare", many, 95), 80) == "● prepare: 500 nodes, 500 done; 0 changes; 1 min 35 s\n"
    drawn = draw(view.summary("prepare", [*many, NodeRun("bad", "failed", message="no space")], 95), 80)
    assert "no space" in drawn
    assert len(drawn.splitlines()) < 10


def test_progress_of_many_nodes_fits_the_terminal_and_shows_trouble_first() -> None:
    nodes = {f"n{n}": NodeRun(f"n{n}", "working", "docker", "Install", n) for n in range(500)}
    nodes["bad"] = NodeRun("bad", "failed", "docker", "Install")
    drawn = draw(view.progress("prepare", Tracker(nodes, "docker", "Install"), 5), 80).splitlines()
    assert len(drawn) <= 25
    assert drawn[0] == "prepare  5 s  docker | Install"
    assert drawn[2].split()[:3] == ["✖", "bad", "failed"]
    assert "more: " in drawn[-1]


def test_progress_before_the_first_event() -> None:
    assert draw(view.progress("prepare", Tracker(), 0), 80) == "prepare  0 s\n"


def test_notes_of_preflight_are_left_to_its_own_report() -> None:
    note = {"id": "ip-forward", "severity": "info", "state": "fail", "text": "it is 0", "tip": "prepare sets it"}
    assert "it is 0" not in draw(view.summary("prepare", [NodeRun("a", "done", findings=[note])], 5), 80)
