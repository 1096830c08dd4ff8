from __future__ import annotations

from npufleet.views import run as view
from unit.fleet.samples import make_workload
from unit.fleet.terminals import draw


def test_what_was_started_where() -> None:
    workload = make_workload("hello", (3, 4), notes=["this node gives 64g of shm"])
    assert draw(view.started("lab-1", workload, created=True), 80) == (
        "● hello started on lab-1, NPU 3-4\n"
        "  image     train:1\n"
        "  container 0123456789ab\n"
        "  note      this node gives 64g of shm\n"
        "  npufleet logs -f lab-1/hello\n"
    )


def test_what_was_there_already_is_not_called_started() -> None:
    drawn = draw(view.started("lab-1", make_workload("hello", (3,)), created=False), 80)
    assert drawn.startswith("● hello is on lab-1 already, running, NPU 3\n")


def test_failed_start_looks_failed_and_says_why() -> None:
    workload = make_workload("hello", (), state="failed", container_id=None, reason="the image has no such command")
    drawn = draw(view.started("lab-1", workload, created=True), 80)
    assert drawn.startswith("✖ hello")
    assert "the image has no such command" in drawn


def test_stopped() -> None:
    assert draw(view.stopped("lab-1", make_workload("x", (3,), state="removed")), 80) == (
        "○ x on lab-1 is removed, NPU 3 free again\n"
    )
    assert "free" not in draw(view.stopped("lab-1", make_workload("x", (3,), state="running")), 80)
