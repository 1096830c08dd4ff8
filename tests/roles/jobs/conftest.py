"""Two prepared nodes for jobs and for the verbs that act on nodes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from support.fleet import Fleet, booted, failures
from support.nodes import wait_until
from support.workloads import ready


@pytest.fixture(scope="session")
def prepared() -> Iterator[Fleet]:
    with booted("jobs", "-n", "2") as fleet:
        done, _ = fleet.playbook("site.yml")
        assert done.returncode == 0, failures(done)
        for node in fleet.nodes:
            wait_until("node ready", 90, partial(ready, node))
        yield fleet
