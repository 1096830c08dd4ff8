"""One prepared node, to which everything is done that an agent must survive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.chaos import Figures, Profile, Trial, prepared, profile, seed
from support.fleet import Fleet
from support.nodes import wait_until
from support.workloads import ready, sweep

FIGURES = Figures("agent", profile().name, seed())
# systemd starts an engine again that was killed more often than it deems normal.
_SETTINGS = {"docker": "[Unit]\\nStartLimitIntervalSec=0\\n"}


@pytest.fixture(scope="session")
def scale() -> Profile:
    return profile()


@pytest.fixture(scope="session")
def fleet(scale: Profile) -> Iterator[Fleet]:
    with prepared("chaos", scale, _SETTINGS) as found:
        yield found


@pytest.fixture
def trial(fleet: Fleet, scale: Profile) -> Iterator[Trial]:
    """Begins and ends with a node that is ready and has no workload."""
    node = fleet.nodes[0]
    wait_until("node ready", scale.within(90), lambda: ready(node))
    sweep(node)
    started = Trial(node, scale, FIGURES)
    yield started
    started.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of the run, for people and as a file for the docs."""
    FIGURES.write()
    for line in FIGURES.lines():
        terminalreporter.write_line(line)
