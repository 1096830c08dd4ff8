"""Every recorded output reads as a person reads it."""

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


@pytest.mark.parametrize("name", recorded.names("other"))
def test_recorded_answer_of_another_question(name: str) -> None:
    expected = json.loads(recorded.read(f"other/{name}.json"))
    found = probe.document(recorded.read(f"other/{name}.txt"))
    other = json.loads(json.dumps(found.get("other")))
    assert {"other": other, "errors": [error["class"] for error in found["errors"]]} == expected
    assert found["chips"] == []
    assert not found["complete"]


@pytest.mark.parametrize("name", recorded.names("errors"))
def test_recorded_error_is_no_table(name: str) -> None:
    found = probe.document(recorded.read(f"errors/{name}.txt"))
    assert found["errors"]
    assert "garbage" not in [error["class"] for error in found["errors"]]
    assert (found["chips"], found["complete"]) == ([], False)
