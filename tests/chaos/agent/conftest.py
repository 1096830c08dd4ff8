"""One prepared node, to which everything is done that an agent must survive."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.chaos import Figures, Profile, Trial, profile, seed
from support.fleet import Fleet, booted, failures
from support.nodes import wait_until
from support.workloads import ready, sweep

FIGURES = Figures("agent", profile().name, seed())
# The next agent comes at once: so there is more to kill, and no pause in which nothing can go wrong. And systemd starts
# an engine again that was killed more often than it deems normal.
_SETTINGS = {"npu-agent": "[Service]\\nRestartSec=200ms\\n", "docker": "[Unit]\\nStartLimitIntervalSec=0\\n"}


@pytest.fixture(scope="session")
def scale() -> Profile:
    return profile()


@pytest.fixture(scope="session")
def fleet(scale: Profile) -> Iterator[Fleet]:
    with booted("chaos", "-n", "1", "--os", "debian12") as found:
        probe = {"agent_probe_fast_interval_s": scale.interval_s, "agent_probe_timeout_s": scale.timeout_s}
        done, _ = found.playbook("site.yml", "-e", json.dumps(probe))
        assert done.returncode == 0, failures(done)
        node = found.nodes[0]
        for unit, setting in _SETTINGS.items():
            folder = f"/etc/systemd/system/{unit}.service.d"
            node.run(f"mkdir -p {folder} && printf '{setting}' > {folder}/chaos.conf")
        node.run("systemctl daemon-reload && systemctl restart npu-agent")
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
