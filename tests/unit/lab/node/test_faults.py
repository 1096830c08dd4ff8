"""The words of `lab fault`: what they mean, and what is refused."""

from __future__ import annotations

import copy

import pytest

from npufleet_lab.node import faults, state
from npufleet_lab.node.faults import FaultError, apply, parse

WELL = state.initial("910B3", "24.1.0", 2)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "Say which fault"),
        (["explode"], "no fault called 'explode'"),
        (["npu=x", "health=Alarm"], "npu must be a number"),
        (["npu=3"], "Say what is wrong with NPU 3"),
        (["health=Alarm"], "Say which NPU"),
        (["npu=3", "health=Sick"], "not 'Sick'"),
        (["npu=3", "colour=red"], "'colour=red' is not understood"),
        (["npu=3", "code=XYZ"], "eight hexadecimal digits"),
        (["slow"], "Say how slow"),
        (["slow", "soon"], "Say how slow"),
        (["garbage", "nice"], "garbage is one of"),
        (["drop-card"], "Say which NPU"),
        (["hang", "now"], "takes no further words"),
        (["process", "npu=1"], "at least npu= and pid="),
        (["heal", "card=1"], "not understood"),
    ],
)
def test_bad_words_are_refused_by_name(words: list[str], part: str) -> None:
    with pytest.raises(FaultError, match=part):
        parse(words)


@pytest.mark.parametrize(("text", "seconds"), [("3s", 3.0), ("250ms", 0.25), ("2", 2.0), ("1.5s", 1.5), ("1m", 60.0)])
def test_slow_takes_a_duration(text: str, seconds: float) -> None:
    assert apply(WELL, parse(["slow", text]))["faults"]["slow_s"] == pytest.approx(seconds)


def test_codes_may_be_several_and_carry_a_prefix() -> None:
    changed = apply(WELL, parse(["npu=3", "code=0x80e01801,8C03A000"]))
    assert changed["npus"][3]["codes"] == ["80E01801", "8C03A000"]


def test_unknown_npu_is_refused_with_those_that_exist() -> None:
    with pytest.raises(FaultError, match="no NPU 8; it has 0, 1, 2, 3, 4, 5, 6, 7"):
        apply(WELL, parse(["npu=8", "health=Alarm"]))


def test_faults_add_up_and_leave_their_input_alone() -> None:
    before = copy.deepcopy(WELL)
    changed = apply(apply(WELL, parse(["npu=1", "health=Warning"])), parse(["npu=1", "link=DOWN"]))
    assert changed["npus"][1]["health"] == "Warning"
    assert changed["npus"][1]["roce"]["link"] == "DOWN"
    assert before == WELL


@pytest.mark.parametrize(
    "words",
    [
        ["npu=3", "health=Alarm", "code=80E01801"],
        ["npu=3", "link=DOWN"],
        ["hang"],
        ["slow", "3s"],
        ["garbage", "binary"],
        ["drop-card", "5"],
        ["occupied"],
        ["cut"],
        ["not-ready"],
        ["process", "npu=0", "pid=7"],
    ],
)
def test_heal_undoes_every_fault(words: list[str]) -> None:
    changed = apply(WELL, parse(words))
    assert changed != WELL
    assert apply(changed, parse(["heal"])) == WELL


def test_heal_of_one_npu_leaves_the_others() -> None:
    changed = apply(apply(WELL, parse(["npu=1", "health=Alarm"])), parse(["npu=2", "health=Alarm"]))
    healed = apply(changed, parse(["heal", "npu=1"]))
    assert [npu["health"] for npu in healed["npus"]][:3] == [None, None, "Alarm"]


def test_usage_names_every_verb() -> None:
    for verb in faults._VERBS:
        assert verb in faults.USAGE
