"""Every recorded output of npu-smi info reads as a person reads it."""

from __future__ import annotations

import json

import pytest

from npu_agent import probe
from unit.agent import recorded


@pytest.mark.parametrize("name", recorded.names("info"))
def test_recorded_table(name: str) -> None:
    expected = json.loads(recorded.read(f"info/{name}.json"))
    assert probe.document(recorded.read(f"info/{name}.txt")) == expected


def test_there_are_cases_of_every_family() -> None:
    chips = {name.split("_")[0] for name in recorded.names("info")}
    assert {"310", "310B4", "310P3", "910A", "910ProB", "910B1", "910B2", "910B3", "910B4", "910C", "950"} <= chips


@pytest.mark.parametrize("name", recorded.names("info"))
def test_windows_line_ends_and_indents_change_nothing(name: str) -> None:
    text = recorded.read(f"info/{name}.txt")
    assert probe.parse_info(text.replace("\n", "\r\n")) == probe.parse_info(text)
    assert probe.parse_info("\n".join("\t" + line for line in text.splitlines())) == probe.parse_info(text)
