"""Fixtures of the API's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.agent.bench import Bench
from unit.agent.http.client import Api


@pytest.fixture
def agent(bench: Bench) -> Iterator[Api]:
    yield from Api(bench).open()
