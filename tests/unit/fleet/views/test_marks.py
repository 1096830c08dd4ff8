from __future__ import annotations

import pytest

from npu_agent import api
from npufleet.views import marks


@pytest.mark.parametrize(
    "state", [*api.HEALTH_STATES, *api.WORKLOAD_STATES, "ready", "not-ready", "unreachable", "new"]
)
def test_only_what_is_fine_looks_fine(state: str) -> None:
    assert (marks.of(state) is marks.OK) == (state in {"healthy", "ready", "running"})


def test_signs_differ_without_colour() -> None:
    every = (marks.OK, marks.WARN, marks.BAD, marks.DUNNO, marks.OFF)
    assert len({mark.sign for mark in every}) == len({mark.plain for mark in every}) == len(every)
    assert all(mark.plain.isascii() for mark in every)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\x1b[31mb\x1b[0m", "ab"), ("\x1b]0;t\x07x", "x"), ("a\nb\tc", "a b c"), ("a\x00\x08b", "ab"),
        ("\u202eabc", "abc"), ("温度 41 °C", "温度 41 °C"), (None, "None"),
    ],
)  # fmt: skip
def test_clean(text: object, clean: str) -> None:
    assert marks.clean(text) == clean


def test_every_action_has_words_and_none_has_none() -> None:
    for action in api.ACTIONS:
        assert (marks.advice(action) == "") == (action == "none")
        assert marks.advice(action) != action
    assert marks.advice("dance") == "dance"


def test_counted() -> None:
    assert [marks.counted(n, "node") for n in (0, 1, 2)] == ["0 nodes", "1 node", "2 nodes"]
