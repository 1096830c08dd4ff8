"""The fault table is whole, sorted and in words of both languages."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from npu_agent.health import faults
from npu_agent.health.rules import shipped


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
        assert record["level"] in shipped().levels or (record["level"] is None and "severity" in record), code


def test_texts_are_there_in_both_languages() -> None:
    texts = load("fault_texts.json")
    sentences = [*texts["causes"].values(), *texts["modules"].values(), *texts["events"].values()]
    levels = [level["advice"] for level in texts["levels"].values()]
    sentences += [level["meaning"] for level in texts["levels"].values()]
    sentences += [advice[use] for advice in (*levels, *texts["advice"].values()) for use in faults.USES]
    assert all(set(sentence) == {"en", "zh"} and sentence["en"] and sentence["zh"] for sentence in sentences)
    assert {*texts["causes"], *texts["advice"]} <= set(faults.codes())
    assert {record["module"] for record in load("faults.json")["codes"].values() if "module" in record} == set(
        texts["modules"]
    )


@pytest.mark.parametrize("written", ["80E01801", "0x80e01801", " 80e01801\n", "0X80E01801", "2162169857"])
def test_lookup_takes_a_code_as_people_and_exporters_write_it(written: str) -> None:
    found = faults.lookup(written)
    assert found is not None
    assert (found.code, found.level, found.severity, found.module) == ("80E01801", "RestartBusiness", "Critical", "HBM")
    assert "HBM" in found.sentence()
    assert found.sentence("zh")
    assert "checkpoint" in found.advice["training"]["en"]
    assert "checkpoint" not in found.advice["inference"]["en"]


def test_every_code_is_found_by_its_decimal_form_and_no_hexadecimal_one_is_taken_for_decimal() -> None:
    for code in faults.codes():
        assert faults.normalise(code) == code
        if len(code) == 8:
            assert faults.normalise(str(int(code, 16))) == code


@pytest.mark.parametrize("written", ["nonsense", "", "80E0180", "80E018011234", "9999999999", "-1", "80E0180G"])
def test_what_is_no_code_is_none(written: str) -> None:
    assert faults.normalise(written) is None
    assert faults.lookup(written) is None


def test_a_code_without_a_cause_of_its_own_is_read_by_its_halves() -> None:
    found = faults.lookup("80DF8000")
    assert found is not None
    assert (found.sentence(), found.sentence("zh")) == ("a fault inside the DDR controller", "DDR 控制器内部异常")


def test_a_code_of_which_only_the_part_of_the_chip_is_known_says_where_and_what() -> None:
    found = faults.lookup("80A18006")
    assert found is not None
    assert found.sentence() == "CPU core: nothing to do"


def test_a_known_code_without_a_level_has_no_advice() -> None:
    found = [fault for fault in map(faults.lookup, faults.codes()) if fault is not None and fault.level is None]
    assert found
    assert all(not fault.advice for fault in found)
