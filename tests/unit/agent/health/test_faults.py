"""The fault table is whole, sorted and in words of both languages."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from npu_agent import api
from npu_agent.health import faults
from npu_agent.health.verdict import Verdict, gravest


def load(name: str) -> dict[str, Any]:
    text = resources.files("npu_agent").joinpath("data", name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_every_code_has_a_known_level_or_a_severity() -> None:
    codes = load("faults.json")["codes"]
    assert len(codes) > 800
    assert list(codes) == sorted(codes)
    for code, record in codes.items():
        assert code == code.upper()
        assert record["level"] in faults.LEVELS or (record["level"] is None and "severity" in record), code


def test_texts_are_there_in_both_languages() -> None:
    texts = load("fault_texts.json")
    assert set(texts["levels"]) == set(faults.LEVELS)
    sentences = [*texts["causes"].values()]
    sentences += [text for level in texts["levels"].values() for text in level.values()]
    assert all(sentence["en"] and sentence["zh"] for sentence in sentences)
    assert set(texts["causes"]) <= set(faults.codes())


def test_levels_are_states_and_actions_of_the_api() -> None:
    for state, action in faults.LEVELS.values():
        assert state in api.HEALTH_STATES
        assert action in api.ACTIONS
        assert gravest([Verdict("npu/0", state, "x", action)]).action == action


def test_lookup_takes_a_code_as_people_write_it() -> None:
    found = faults.lookup("0x80e01801")
    assert found is not None
    assert (found.code, found.level, found.severity, found.module) == ("80E01801", "RestartBusiness", "Critical", "HBM")
    assert "HBM" in found.sentence()
    assert found.sentence("zh")
    assert "checkpoint" in found.advice["en"]
    assert faults.lookup("nonsense") is None


def test_a_code_without_a_cause_of_its_own_says_where_and_what() -> None:
    found = faults.lookup("80DF8000")
    assert found is not None
    assert found.sentence() == "DDRC: the chip needs a reset"
