"""The shipped rules fit their schema, and a site changes single keys of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from npu_agent import api
from npu_agent.health import faults, rules
from npu_agent.health.rules import Judgement, RulesError, Threshold
from npu_agent.health.verdict import Verdict, gravest


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "health.yaml"


def write(site: Path, text: str) -> Path:
    site.write_text(text, encoding="utf-8")
    site.chmod(0o644)
    return site


def test_the_shipped_rules_fit_the_schema() -> None:
    assert rules.build(rules._shipped_document()) == rules.shipped()


def test_every_level_of_the_fault_table_has_a_judgement_and_texts() -> None:
    levels = {fault.level for code in faults.codes() if (fault := faults.lookup(code)) and fault.level}
    assert levels <= set(rules.shipped().levels)
    for level, judged in rules.shipped().levels.items():
        texts = faults.level_texts(level)
        assert {tuple(sorted(texts["advice"][use])) for use in faults.USES} == {("en", "zh")}
        assert gravest([Verdict("npu/0", judged.state, "x", judged.action)]).action == judged.action


def test_rules_name_codes_that_the_table_knows() -> None:
    by = rules.shipped()
    patterns = [*(rule.pattern for rule in by.duration), *(rule.pattern for rule in by.frequency)]
    marks = {mark for pattern in patterns for mark in pattern.marks if mark != "link-down"}
    assert marks <= set(faults.codes())


def test_without_a_file_the_shipped_rules_are_in_force(site: Path) -> None:
    assert rules.read(site) == rules.shipped()


def test_a_site_changes_one_key_and_leaves_the_rest(site: Path) -> None:
    write(site, "thresholds: {npu-temperature-c: {unhealthy: 90}}\ncodes: {80E3A203: NotHandleFault}\n")
    found = rules.read(site)
    assert found.threshold("npu-temperature-c") == Threshold(95, 90, 2, "fix-configuration")
    assert found.codes == {"80E3A203": "NotHandleFault"}
    assert found.levels == rules.shipped().levels


def test_a_named_rule_that_is_null_is_gone_and_a_null_limit_is_not_judged(site: Path) -> None:
    write(site, "duration: {npu-link-down: null}\nthresholds: {disk-free-gib: {degraded: null}}\n")
    found = rules.read(site)
    assert [rule.pattern.name for rule in found.duration] == ["npu-request-faults-that-stay"]
    assert found.threshold("disk-free-gib").degraded is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("thresholds: {npu-temperature: {unhealthy: 1}}", "npu-temperature"),
        ("levels: {RestartNPU: {state: ill, action: none}}", "levels.RestartNPU.state"),
        ("duration: {mine: {component: npu, lasts_s: 5, marks: [x]}}", "neither `level` nor `state`"),
        ("duration: {mine: {component: npu, lasts_s: 5, level: RestartNPU}}", "fits nothing"),
        ("rings: [{chips: '(', npus: 8}]", "in a pattern of chips"),
        ("a: [", "not valid YAML"),
        ("- 1", "no mapping"),
        ("surprise: 1", "surprise"),
        ("codes: {nonsense: NotHandleFault}", "nonsense is no fault code"),
        ("levels: {RestartChip: {state: healthy, action: none}}", "RestartChip"),
    ],
)
def test_a_wrong_file_is_told_with_the_place_and_changes_nothing(site: Path, text: str, words: str) -> None:
    write(site, text)
    with pytest.raises(RulesError, match=r"health\.yaml") as caught:
        rules.read(site)
    assert words in str(caught.value)
    found = rules.load(site)
    assert found.levels == rules.shipped().levels
    assert words in (found.trouble or "")


def test_a_file_that_others_may_write_is_not_believed(site: Path) -> None:
    write(site, "{}").chmod(0o666)
    with pytest.raises(RulesError, match="chmod 0644"):
        rules.read(site)


def test_a_file_that_belongs_to_somebody_else_is_not_believed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(site, "{}")
    if os.geteuid() == 0:
        os.chown(site, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(RulesError, match="chown root"):
        rules.read(site)


@pytest.mark.parametrize(
    ("value", "low", "state"),
    [(None, False, None), (94.9, False, None), (95, False, api.DEGRADED), (200, False, api.UNHEALTHY)],
)
def test_a_value_at_its_limit_is_beyond_it(value: float | None, low: bool, state: str | None) -> None:
    assert Threshold(95, 105).state(value, low_is_bad=low) == state


def test_what_may_not_fall_below_is_judged_the_other_way() -> None:
    limit = Threshold(degraded=5, unhealthy=1)
    assert [limit.state(value, low_is_bad=True) for value in (5, 4.9, 0.9)] == [None, api.DEGRADED, api.UNHEALTHY]


@pytest.mark.parametrize(
    ("chip", "npus"),
    [
        ("910B3", 8),
        ("910B4-1", 8),
        ("910B", 4),
        ("910A", 4),
        ("910ProB", 4),
        ("Ascend910", 2),
        ("310P3", 1),
        ("X", None),
    ],
)
def test_rings_go_by_the_chips_name(chip: str, npus: int | None) -> None:
    assert rules.shipped().ring_of(chip) == npus


def test_looks_go_by_the_kind_of_component() -> None:
    found = rules.build(rules.merge(rules._shipped_document(), {"recovery_looks": {"npu": 3}}))
    assert (found.good_looks("npu/3"), found.good_looks("docker")) == (3, 2)
    assert Judgement(state="healthy", action="none") == found.words["OK"]
