"""The simulated npu-smi prints, byte for byte, what field machines printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npufleet_lab.node import npu_smi

CASES = Path(__file__).resolve().parents[3] / "cases" / "npu_smi"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_output_matches_the_recording(case: Path) -> None:
    recorded = json.loads(case.read_text())
    output, status = npu_smi.answer(recorded["argv"], recorded["state"])
    assert output == case.with_suffix(".txt").read_text()
    assert status == recorded["status"]


def test_every_recording_is_used() -> None:
    texts = {path.stem for path in CASES.glob("*.txt")}
    assert texts == {path.stem for path in CASES.glob("*.json")}
    assert len(texts) >= 20
