"""What the lab tells a person when it cannot go on."""

from __future__ import annotations

from npufleet_lab.errors import LabError, LabUsageError


def test_an_error_reads_as_cause_and_remedy() -> None:
    assert str(LabError("The disk is full.", "Free some space.")) == "The disk is full. Free some space."
    assert str(LabError("The disk is full.")) == "The disk is full."
    assert (LabError("x").exit_code, LabUsageError("x").exit_code) == (1, 2)
