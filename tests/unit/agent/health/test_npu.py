"""Codes decide, the Health word is the fallback."""

from __future__ import annotations

import pytest

from npu_agent import api
from npu_agent.health.npu import by_codes


@pytest.mark.parametrize(
    ("word", "codes", "state", "action"),
    [
        ("OK", (), api.HEALTHY, "none"),
        ("OK", None, api.HEALTHY, "none"),
        ("Warning", (), api.DEGRADED, "none"),
        ("Alarm", (), api.UNHEALTHY, "reset-npu-when-idle"),
        ("Alarm", None, api.UNHEALTHY, "reset-npu-when-idle"),
        ("Critical", (), api.UNHEALTHY, "reset-npu"),
        ("UNKNOWN", (), api.UNKNOWN, "check-driver"),
        # The same word asks for different things.
        ("Warning", ("80818C00",), api.UNHEALTHY, "replace-hardware"),
        ("Warning", ("80C98008",), api.DEGRADED, "restart-workload"),
        ("Warning", ("81078603",), api.HEALTHY, "none"),
        ("Critical", ("80E01801",), api.UNHEALTHY, "restart-workload"),
        ("Critical", ("80E18402",), api.UNHEALTHY, "replace-hardware"),
        ("OK", ("80F78009",), api.UNHEALTHY, "reset-npu"),
        # The gravest of several wins; codes nobody knows leave it to the word.
        ("Alarm", ("A4025021", "8C03A000", "8C084E00"), api.UNHEALTHY, "reset-npu"),
        ("Alarm", ("FFFFFFF0",), api.UNHEALTHY, "reset-npu-when-idle"),
        ("Warning", ("81078603", "FFFFFFF0"), api.DEGRADED, "none"),
        # Nothing that needs no handling adds up to an Alarm.
        ("Alarm", ("A4025021",), api.UNHEALTHY, "reset-npu-when-idle"),
    ],
)
def test_state_and_action(word: str, codes: tuple[str, ...] | None, state: str, action: str) -> None:
    found = by_codes("npu/0", word, codes)
    assert (found.state, found.action) == (state, action)
    assert found.reason or state == api.HEALTHY


def test_the_reason_names_word_code_and_cause() -> None:
    reason = by_codes("npu/3", "Alarm", ("80E3A203",)).reason
    assert reason == "npu-smi reports Alarm, code 80E3A203 (the chip's current cannot be measured)"


def test_the_tools_own_text_explains_an_unknown_code() -> None:
    assert "(fan is gone)" in by_codes("npu/3", "Alarm", ("FFFFFFF0",), ("fan is gone",)).reason


@pytest.mark.parametrize(
    ("word", "codes", "marks"),
    [
        ("OK", (), ()),
        ("Alarm", (), ("Alarm",)),
        ("Alarm", ("80e3a203", "FFFFFFF0"), ("80E3A203", "FFFFFFF0")),
        ("Warning", ("81078603",), ("81078603",)),
    ],
)
def test_marks_name_the_fault_for_rules_about_time(word: str, codes: tuple[str, ...], marks: tuple[str, ...]) -> None:
    assert set(by_codes("npu/0", word, codes).marks) == set(marks)
