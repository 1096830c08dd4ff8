"""Fixtures of the command line's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.agent.cli.agent import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    yield from Served(str(tmp_path / "agent.sock")).serve()
