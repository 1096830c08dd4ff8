"""Rules about time: what lasts, what comes again, what no reboot cures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from npu_agent import api
from npu_agent.health.ledger import Ledger
from npu_agent.health.overtime import OverTime, span
from npu_agent.health.rules import Rules, build, merge, shipped
from npu_agent.health.rules import _shipped_document as document
from npu_agent.health.verdict import Verdict


def rules(**own: object) -> Rules:
    return build(merge(document(), own))


class Node:
    """One component, looked at second by second."""

    def __init__(self, by: Rules, name: str = "npu/3", ledger: Ledger | None = None) -> None:
        self.over_time = OverTime(by, ledger or Ledger())
        self.name = name
        self.boot = "b1"

    def at(self, now: float, *marks: str, state: str = api.HEALTHY, action: str = "none") -> Verdict:
        reason = " ".join(marks)
        found = Verdict(self.name, state, reason, action, marks=marks)
        return self.over_time.judge(found, now, self.boot, counts=True)


def test_a_link_that_is_down_for_20_seconds_is_unhealthy_and_needs_as_long_to_recover() -> None:
    port = Node(shipped(), "npu-network/3")
    down = {"state": api.DEGRADED, "action": "fix-configuration"}
    assert port.at(0, "link-down", **down).state == api.DEGRADED
    assert port.at(19, "link-down", **down).state == api.DEGRADED
    found = port.at(20, "link-down", **down)
    assert (found.state, found.action) == (api.UNHEALTHY, "fix-configuration")
    assert port.at(30).state == api.UNHEALTHY
    assert port.at(49).state == api.UNHEALTHY
    assert port.at(51).state == api.HEALTHY


def test_a_short_cut_of_the_link_leaves_nothing_behind() -> None:
    port = Node(shipped(), "npu-network/3")
    port.at(0, "link-down", state=api.DEGRADED)
    assert port.at(5).state == api.HEALTHY


def test_a_request_fault_that_lasts_a_minute_is_unhealthy() -> None:
    npu = Node(shipped())
    assert npu.at(0, "80C98000", state=api.DEGRADED).state == api.DEGRADED
    assert npu.at(60, "80C98000", state=api.DEGRADED).state == api.UNHEALTHY


def test_the_start_of_a_fault_survives_a_restart() -> None:
    npu = Node(shipped())
    npu.at(0, "80C98000", state=api.DEGRADED)
    kept = Ledger.from_document(npu.over_time.ledger.to_document())
    assert Node(shipped(), ledger=kept).at(61, "80C98000", state=api.DEGRADED).state == api.UNHEALTHY


def test_not_knowing_neither_ends_a_fault_nor_is_judged_by_rules() -> None:
    npu = Node(shipped())
    npu.at(0, "80C98000", state=api.DEGRADED)
    assert npu.at(61, state=api.UNKNOWN).state == api.UNKNOWN
    assert npu.at(62, "80C98000", state=api.DEGRADED).state == api.UNHEALTHY


def twice(by: Rules) -> Verdict:
    npu = Node(by)
    npu.at(0, "80E01801", state=api.UNHEALTHY, action="restart-workload")
    npu.at(10)
    return npu.at(3600, "80E01801", state=api.UNHEALTHY, action="restart-workload")


def test_twice_a_day_is_only_reported_as_shipped() -> None:
    found = twice(shipped())
    assert found.action == "restart-workload"
    (trial,) = found.trials
    assert trial == (
        "npu-hardware-fault-twice-a-day would say unhealthy, replace-hardware: 80E01801: it came 2 times within 1 d"
    )


def test_twice_a_day_takes_the_npu_out_where_the_site_says_so() -> None:
    by = rules(frequency={"npu-hardware-fault-twice-a-day": {"dry_run": False}})
    found = twice(by)
    assert (found.state, found.action, found.trials) == (api.UNHEALTHY, "replace-hardware", ())


def test_what_came_too_often_is_out_until_it_is_released() -> None:
    npu = Node(rules(frequency={"npu-hardware-fault-twice-a-day": {"dry_run": False}}))
    for now in (0, 100):
        npu.at(now, "80E01801", state=api.UNHEALTHY)
        npu.at(now + 10)
    assert npu.at(200).state == api.UNHEALTHY
    assert npu.at(86400 + 109).state == api.UNHEALTHY
    assert npu.at(86400 + 111).state == api.HEALTHY


def test_once_in_two_days_is_not_twice_a_day() -> None:
    npu = Node(rules(frequency={"npu-hardware-fault-twice-a-day": {"dry_run": False}}))
    npu.at(0, "80E01801", state=api.UNHEALTHY)
    npu.at(10)
    assert npu.at(2 * 86400, "80E01801", state=api.UNHEALTHY, action="restart-workload").action == "restart-workload"


def after_reboots(by: Rules, boots: int, action: str = "reset-npu") -> Verdict:
    npu = Node(by)
    for boot in range(boots + 1):
        npu.boot = f"b{boot}"
        found = npu.at(boot * 600.0, "80E3A203", state=api.UNHEALTHY, action=action)
    return found


@pytest.mark.parametrize(("boots", "action"), [(0, "reset-npu"), (1, "reset-npu"), (2, "replace-hardware")])
def test_the_same_fault_after_two_reboots_asks_for_other_hardware(boots: int, action: str) -> None:
    found = after_reboots(shipped(), boots)
    assert (found.state, found.action) == (api.UNHEALTHY, action)
    assert ("it is back after 2 reboots of the node" in found.reason) == (boots == 2)


def test_a_fault_that_no_reset_was_asked_for_is_not_escalated() -> None:
    assert after_reboots(shipped(), 5, "restart-workload").action == "restart-workload"


def test_an_escalation_on_trial_has_no_effect() -> None:
    by = shipped()
    found = after_reboots(replace(by, escalation=replace(by.escalation, dry_run=True)), 2)
    assert found.action == "reset-npu"
    assert found.trials[-1:] == ("escalation would say replace-hardware: it is back after 2 reboots of the node",)


def test_lengths_of_time_are_told_in_whole_units() -> None:
    assert [span(seconds) for seconds in (20, 60, 90, 7200, 86400)] == ["20 s", "1 min", "90 s", "2 h", "1 d"]
