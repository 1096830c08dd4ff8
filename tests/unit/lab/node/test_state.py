"""The state file of a simulated node."""

from __future__ import annotations

from pathlib import Path

import pytest

from npufleet_lab.node import state
from npufleet_lab.node.chips import FAMILIES


@pytest.mark.parametrize(("chip", "count"), [("910B3", 8), ("910A", 8), ("310P3", 8), ("A3", 16)])
def test_physical_ids_count_through_all_chips(chip: str, count: int) -> None:
    npus = state.initial(chip, "24.1.0")["npus"]
    assert [npu["npu"] for npu in npus] == list(range(count))
    assert len({(npu["card"], npu["chip"]) for npu in npus}) == count == FAMILIES[chip].npu_count()


def test_a_written_state_is_read_back_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "npu.json"
    written = state.initial("910B3", "24.1.0")
    state.write(written, path)
    assert state.read(path) == written
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]
