"""A prepared fleet for rollouts; NPUFLEET_TEST_NODES makes it smaller on a busy machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

import pytest

from support.fleet import Fleet, booted, failures
from support.nodes import wait_until
from support.workloads import ready


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with booted("rollout", "-n", os.environ.get("NPUFLEET_TEST_NODES", "4"), "--os", "debian12") as nodes:
        done, _ = nodes.playbook("site.yml")
        assert done.returncode == 0, failures(done)
        for node in nodes.nodes:
            wait_until("node ready", 90, partial(ready, node))
        yield nodes
