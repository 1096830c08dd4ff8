"""A short run of the fuzz targets; `make fuzz` runs a million cases of the same."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz import damage, layouts, oracle
from fuzz.cases import TARGETS
from npu_agent.probe import Chip, parse_info


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_no_parser_raises_or_invents(target: Callable[[Random], bool]) -> None:
    assert sum(target(Random(number)) for number in range(60)) >= 15


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(TARGETS), st.randoms(use_true_random=False))
def test_hypothesis_finds_no_smaller_failure(target: Callable[[Random], bool], random: Random) -> None:
    assert target(random) in (True, False)


@pytest.mark.parametrize(
    ("target", "seed"),
    [
        ("one_hit", 133), ("one_hit", 2791), ("one_hit", 3979), ("one_hit", 9955), ("one_hit", 11527),
        ("one_hit", 102505), ("several_hits", 4934), ("several_hits", 54140),
        ("one_hit", 1037425), ("one_hit", 1094929), ("one_hit", 2000593),
    ],
)  # fmt: skip
def test_what_once_failed(target: str, seed: int) -> None:
    (found,) = (each for each in TARGETS if each.__name__ == target)
    assert found(Random(seed)) in (True, False)


def test_the_oracle_sees_an_invented_value() -> None:
    sample = layouts.make(Random(1))
    found = parse_info(sample.text)
    oracle.exact(sample, found)
    oracle.right_or_unknown(sample, found, sample.text)
    chip = sample.chips[0]
    chip["temperature_c"] += 100
    with pytest.raises(AssertionError):
        oracle.right_or_unknown(sample, found, sample.text)
    with pytest.raises(AssertionError):
        oracle.exact(sample, found)


def test_the_oracle_sees_a_value_that_stands_in_another_column() -> None:
    sample = layouts.make(Random(2))
    row = "| 9     910B3               | OK            | 93.2        47                0    / 0             |"
    rows = [oracle._cells(row), ["", "", "Power(W)   Temp(C)   Hugepages-Usage(page)"]]
    right = Chip(npu_id=9, power_w=93.2, temperature_c=47)
    wrong = Chip(npu_id=9, power_w=47)
    assert oracle._reads_first(right, rows[0], rows)
    assert not oracle._reads_first(wrong, rows[0], rows)
    assert damage.cut(Random(3), sample.text) in sample.text
