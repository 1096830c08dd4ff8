"""Four prepared nodes for what the fleet's verbs do over several of them: jobs, rollouts, pushes, resets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from support.fleet import Fleet, booted, failures
from support.nodes import Node, wait_until
from support.workloads import ready, sweep


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with booted("fleet", "-n", "4", "--os", "debian12") as nodes:
        done, _ = nodes.playbook("site.yml")
        assert done.returncode == 0, failures(done)
        for node in nodes.nodes:
            wait_until("node ready", 90, partial(ready, node))
        yield nodes


@pytest.fixture
def nodes(fleet: Fleet) -> Iterator[list[Node]]:
    """Two of them, with no workload before and after."""
    two = fleet.nodes[:2]
    for node in two:
        sweep(node)
    wait_until("nodes ready", 90, lambda: all(ready(node) for node in two))
    yield two
    for node in two:
        sweep(node)
        node.api("DELETE", "/v1/cordon?force=1")
