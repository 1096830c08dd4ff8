"""Fixtures of the agent's unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.agent.bench import Bench, prepared


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, prepared(tmp_path))
    yield made
    made.close()
