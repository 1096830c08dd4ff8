"""What a code means under the rules in force."""

from __future__ import annotations

from npu_agent.health import faults
from npu_agent.health.explain import explain
from npu_agent.health.rules import _shipped_document as document
from npu_agent.health.rules import build, merge, shipped


def test_every_code_of_the_table_is_explained() -> None:
    for code in faults.codes():
        found = explain(code, shipped())
        assert found is not None
        assert found.code == code
        assert found.known == (found.level is not None)
        assert not found.known or (found.meaning["zh"] and found.advice["inference"]["zh"])


def test_rules_about_time_are_named() -> None:
    found = explain("80E01801", shipped())
    assert found is not None
    (rule,) = found.rules
    assert rule.startswith("npu-hardware-fault-twice-a-day, only reported: npu is unhealthy, replace-hardware")
    assert rule.endswith("when it comes 2 times within 1 d")


def test_a_sites_own_level_changes_state_and_advice() -> None:
    found = explain("0x80e3a203", build(merge(document(), {"codes": {"80E3A203": "NotHandleFault"}})))
    assert found is not None
    assert (found.level, found.state, found.action) == ("NotHandleFault", "healthy", "none")
    assert found.advice["training"]["en"].startswith("Nothing needs to be done")
    assert found.rules[0] == "this site gives the code the level NotHandleFault"


def test_a_site_may_name_a_code_that_the_table_does_not_know() -> None:
    found = explain("FFFFFFF0", build(merge(document(), {"codes": {"FFFFFFF0": "RestartNPU"}})))
    assert found is not None
    assert (found.known, found.action) == (True, "reset-npu")
    assert explain("nonsense", shipped()) is None
