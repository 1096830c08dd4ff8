from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.loopback import Site, make_site
from support.nodes import wait_until


@dataclasses.dataclass(frozen=True)
class Running:
    site: Site
    folder: Path


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The built agent with sixteen simulated NPUs; it probes every half second, so that a test need not wait long."""
    folder = tmp_path_factory.mktemp("site")
    site = make_site(folder, fast_interval_s=0.5, timeout_s=2.0)
    with site.agent():
        wait_until("the first table", 30, lambda: site.json("/v1/npus")["npus"])
        yield Running(site, folder)


@pytest.fixture(autouse=True)
def healed(running: Running) -> Iterator[None]:
    yield
    running.site.fault("heal")
