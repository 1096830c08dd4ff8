from __future__ import annotations

from unit.plugins.loading import load

needs = load("filter/npufleet_needs.py")


def test_only_what_is_needed_is_left() -> None:
    roles = {"docker": {"install": False, "daemon": True}, "images": {"pull": False}, "agent": {"run": True}}
    assert needs.npufleet_needs(roles) == {"docker": ["daemon"], "agent": ["run"]}


def test_a_value_that_is_no_answer_leaves_no_step_out() -> None:
    assert needs.npufleet_needs({"images": {"pull": "", "load": None}}) == {"images": ["pull", "load"]}
