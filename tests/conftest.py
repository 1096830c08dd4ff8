"""Suites that need simulated nodes run side by side, each in one worker and in a lab of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ONE_LAB = {"e2e"}  # the folder is one suite
LAB_PER_FOLDER = {"roles", "chaos"}  # each folder inside is one


def lab_suite(path: Path) -> str | None:
    """Name the suite whose lab a test file runs in; None where it needs no node."""
    parts = path.relative_to(TESTS).parts
    if parts[0] in ONE_LAB:
        return parts[0]
    if parts[0] in LAB_PER_FOLDER and len(parts) > 2:
        return parts[1]
    return None


def pytest_itemcollected(item: pytest.Item) -> None:
    """One worker for one suite: its tests share nodes and build on each other in the order they stand in.

    Marked as early as this because pytest-xdist looks for the mark before any other hook sees the whole list.
    """
    suite = lab_suite(item.path)
    if suite is not None:
        item.add_marker(pytest.mark.xdist_group(suite))
