"""One prepared node for the state machine, whose agent looks often and comes back at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.chaos import Figures, Profile, prepared, profile, seed
from support.fleet import Fleet

FIGURES = Figures("machine", profile().name, seed())


@pytest.fixture(scope="session")
def scale() -> Profile:
    return profile()


@pytest.fixture(scope="session")
def figures() -> Figures:
    return FIGURES


@pytest.fixture(scope="session")
def fleet(scale: Profile) -> Iterator[Fleet]:
    with prepared("machine", scale) as found:
        yield found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of the run, for people and as a file for the docs."""
    FIGURES.write()
    for line in FIGURES.lines():
        terminalreporter.write_line(line)
