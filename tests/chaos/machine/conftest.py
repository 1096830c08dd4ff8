"""One prepared node for the state machine, whose agent looks often and comes back at once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.chaos import Figures, Profile, profile, seed
from support.fleet import Fleet, booted, failures
from support.nodes import wait_until
from support.workloads import ready

FIGURES = Figures("machine", profile().name, seed())
_IMPATIENT = "/etc/systemd/system/npu-agent.service.d/machine.conf"


@pytest.fixture(scope="session")
def scale() -> Profile:
    return profile()


@pytest.fixture(scope="session")
def figures() -> Figures:
    return FIGURES


@pytest.fixture(scope="session")
def fleet(scale: Profile) -> Iterator[Fleet]:
    with booted("machine", "-n", "1", "--os", "debian12") as found:
        probe = {"agent_probe_fast_interval_s": scale.interval_s, "agent_probe_timeout_s": scale.timeout_s}
        done, _ = found.playbook("site.yml", "-e", json.dumps(probe))
        assert done.returncode == 0, failures(done)
        node = found.nodes[0]
        node.run(f"mkdir -p $(dirname {_IMPATIENT}) && printf '[Service]\\nRestartSec=200ms\\n' > {_IMPATIENT}")
        node.run("systemctl daemon-reload && systemctl restart npu-agent")
        wait_until("node ready", scale.within(90), lambda: ready(node))
        yield found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of the run, for people and as a file for the docs."""
    FIGURES.write()
    for line in FIGURES.lines():
        terminalreporter.write_line(line)
