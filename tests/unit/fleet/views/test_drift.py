from __future__ import annotations

import pytest

from npufleet.drift import NodeDrift
from npufleet.playbook_drift import Difference
from npufleet.views import drift as view
from unit.fleet.terminals import draw, draw_ascii, expect_snapshot

FOUND = (
    Difference("docker", "option", "/etc/docker/daemon.json: live-restore"),
    Difference("metadata_guard", "proof", "containers are not kept away from the metadata service"),
)
NODES = [
    NodeDrift("lab-1", "in step"),
    NodeDrift("lab-10", "unreachable", message="connection timed out"),
    NodeDrift("lab-2", "drifted", FOUND),
]


@pytest.mark.parametrize("width", [80, 160])
def test_report(width: int) -> None:
    expect_snapshot(f"verify-{width}", draw(view.report(NODES, "npufleet prepare --limit lab-2", 12), width))


def test_ascii() -> None:
    assert "! lab-2" in draw_ascii(view.report(NODES, "npufleet prepare", 12))


def test_many_nodes_fit_a_screen() -> None:
    many = [NodeDrift(f"n{n}", "in step") for n in range(500)]
    assert draw(view.report(many, "", 12), 80) == "● verify: 500 nodes, 500 in step; 12 s\n"
    drawn = draw(view.report([*many, NodeDrift("bad", "drifted", FOUND * 20)], "", 12), 80)
    assert len(drawn.splitlines()) < 25
    assert "and 28 more" in drawn


def test_no_node_is_no_success() -> None:
    assert draw(view.report([], "", 1), 80).startswith("✖ verify: 0 nodes")
