from __future__ import annotations

from typing import Any

import pytest

from npu_agent import api
from npufleet.agent_errors import UnreachableError
from npufleet.rollout import gate, settings
from npufleet.rollout.gate import DUNNO, GOOD, SICK, SILENT, Gate, Look, Seen
from npufleet.sweep import Answer
from unit.fleet.samples import make_node

OWN = "rollout-7-abcd"
WANTED = settings.read({"min_healthy_time": 10, "healthy_deadline": 60, "progress_deadline": 120})


def seen(observed_at: str | None = "t1", cordons: tuple[str, ...] = (), api_version: str = "v1", **health: Any) -> Seen:
    reasons = [*health.pop("reasons", []), *(f"cordoned by {owner}" for owner in cordons)]
    report = api.HealthReport("n1", **{"ready": not reasons, "state": api.HEALTHY, **health}, reasons=reasons)
    marks = [api.Cordon(owner) for owner in cordons]
    node = api.Node("n1", "0.1.0", api_version=api_version, boot_id="b1")
    return Seen(node, report, api.NpuReport(observed_at), api.Cordons(bool(marks), marks))


def judged(one: Seen, **more: Any) -> Look:
    return gate.look(Answer(make_node("n1"), one), WANTED, **more)


def test_own_cordon_does_not_count_against_a_node() -> None:
    assert judged(seen(cordons=(OWN,)), owner=OWN) == Look(GOOD, "", "t1", "b1")


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (seen(state=api.DEGRADED), GOOD),
        (seen(state=api.UNKNOWN), DUNNO),
        (seen(state="splendid"), DUNNO),
        (seen(observed_at=None), DUNNO),
        (seen(ready=False), DUNNO),
        (seen(state=api.UNKNOWN, reasons=["no complete probe yet"]), DUNNO),
        (seen(state=api.UNHEALTHY, reasons=["npu/3: unhealthy: Alarm"]), SICK),
        (seen(api_version="v2"), SICK),
        (seen(cordons=("alice",)), SICK),
    ],
)
def test_only_what_is_known_to_be_fine_is_good(one: Seen, verdict: str) -> None:
    assert judged(one, owner=OWN if one.cordons.cordoned else "").verdict == verdict


def not_known(name: str, **more: Any) -> Seen:
    return seen(state=api.UNKNOWN, components=[api.Component(name, api.UNKNOWN, "not asked yet")], **more)


def test_what_the_agent_needs_not_know_to_be_ready_passes_and_is_told() -> None:
    """As the agent's own readiness has it: ports are asked by turns, which take long on a busy node."""
    told = "not known, nor needed: npu-network/3"
    assert judged(not_known("npu-network/3")) == Look(GOOD, told, "t1", "b1")
    assert judged(not_known("npu-network/3", cordons=(OWN,)), owner=OWN).verdict == GOOD
    assert judged(not_known("npu-network/3", reasons=["npu-network/3: unknown: by another agent"])).verdict == DUNNO


def test_every_other_part_that_is_not_known_never_passes_whatever_the_agent_says() -> None:
    one = judged(not_known("driver"))
    assert (one.verdict, one.reason) == (DUNNO, "its agent does not know its own state: driver: not asked yet")


def test_silence_is_a_verdict_of_its_own() -> None:
    answer: Answer[Seen] = Answer(make_node("n1"), problem=UnreachableError("gone", node="n1"))
    assert gate.look(answer, WANTED) == Look(SILENT, "gone")


def test_checks_on_trial_are_reported_and_decide_nothing() -> None:
    trial = settings.read({"dry_run": "disk/var"})
    parts = [api.Component("disk/var", api.UNHEALTHY, "full")]
    one = seen(state=api.UNHEALTHY, reasons=["disk/var: unhealthy: full"], components=parts)
    assert gate.look(Answer(make_node("n1"), one), trial).verdict == GOOD
    assert judged(one).verdict == SICK


def fed(*looks: tuple[float, Look]) -> Gate:
    one = Gate(WANTED, 0.0)
    for at_s, look in looks:
        one.feed(look, at_s)
    return one


def test_passes_after_long_enough_and_several_observations() -> None:
    assert fed((0, Look(GOOD, "", "t1")), (10, Look(GOOD, "", "t2"))).passed(10)
    assert not fed((0, Look(GOOD, "", "t1")), (9, Look(GOOD, "", "t2"))).passed(9)
    assert not fed((0, Look(GOOD, "", "t1")), (50, Look(GOOD, "", "t1"))).passed(50)


def test_a_break_begins_the_time_anew() -> None:
    looks = [(0, Look(GOOD, "", "t1")), (5, Look(DUNNO)), (6, Look(GOOD, "", "t2")), (11, Look(GOOD, "", "t3"))]
    assert not fed(*looks).passed(11)
    assert fed(*looks).passed(16)


def test_relapse_and_deadlines_fail() -> None:
    assert "no longer is" in fed((0, Look(GOOD, "", "t1")), (5, Look(SICK, "Alarm"))).failed(5, 0)
    assert fed((5, Look(SICK, "Alarm"))).failed(59, 0) == ""
    assert fed((5, Look(SICK, "Alarm"))).failed(60, 0) == "not healthy within 60 s: Alarm"
    hasty = Gate(settings.read({"progress_deadline": 0}), 0.0)
    hasty.feed(Look(SICK, "Alarm"), 1)
    assert hasty.failed(1, 0) == "Alarm"
