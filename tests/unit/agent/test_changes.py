"""Events are differences of pictures, causes first."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from npu_agent import api
from npu_agent.changes import Picture, changes


def picture(**states: str) -> Picture:
    named = {name.replace("_", "/"): state for name, state in states.items()}
    components = {
        name: api.Component(name, state, "" if state == api.HEALTHY else "why") for name, state in named.items()
    }
    return Picture(components=components, cordoned=False, ready=True)


def told(before: Picture, now: Picture) -> list[tuple[str, str, str]]:
    return [(draft.kind, draft.subject, draft.message) for draft in changes(before, now, ["npu/3: unhealthy: why"])]


def test_nothing_changed_is_no_event() -> None:
    assert told(picture(npu_3=api.HEALTHY), picture(npu_3=api.HEALTHY)) == []


def test_a_fault_and_its_end() -> None:
    well, ill = picture(npu_3=api.HEALTHY), replace(picture(npu_3=api.UNHEALTHY), ready=False)
    assert told(well, ill) == [
        ("health", "npu/3", "npu/3 is unhealthy: why"),
        ("ready", "node", "the node is not ready: npu/3: unhealthy: why"),
    ]
    assert told(ill, well) == [("health", "npu/3", "npu/3 is healthy"), ("ready", "node", "the node is ready")]


def test_the_data_say_from_what_to_what() -> None:
    (draft, _) = changes(picture(npu_3=api.HEALTHY), replace(picture(npu_3=api.UNKNOWN), ready=False))
    assert draft.data == {"from": "healthy", "to": "unknown", "action": "none", "marks": []}


def test_another_code_on_a_sick_npu_is_news_and_another_age_is_not() -> None:
    ill = picture(npu_3=api.UNHEALTHY)
    component = ill.components["npu/3"]
    aged = replace(ill, components={"npu/3": replace(component, reason="last seen 9 s ago", observed_at="later")})
    marked = replace(ill, components={"npu/3": replace(component, marks=["80E01801"])})
    assert told(ill, aged) == []
    assert [kind for kind, _, _ in told(ill, marked)] == ["health"]


def test_causes_come_before_what_follows_from_them() -> None:
    before = picture(npu_0=api.HEALTHY, probe=api.HEALTHY, docker=api.HEALTHY)
    now = picture(npu_0=api.UNKNOWN, probe=api.UNKNOWN, docker=api.UNHEALTHY)
    assert [(kind, subject) for kind, subject, _ in told(before, now)] == [
        ("health", "docker"), ("probe", "probe"), ("health", "npu/0"),
    ]  # fmt: skip


def test_what_is_first_seen_healthy_is_no_news_and_what_is_first_seen_sick_is() -> None:
    assert told(Picture(cordoned=False, ready=True), picture(npu_0=api.HEALTHY)) == []
    assert len(told(Picture(cordoned=False, ready=True), picture(npu_0=api.DEGRADED))) == 1


def test_a_component_that_is_gone_is_told_unless_nobody_knew_of_it() -> None:
    before = picture(npu_0=api.HEALTHY, npu_1=api.UNKNOWN)
    assert told(before, picture()) == [("health", "npu/0", "npu/0 is no longer judged")]


def test_leases_and_workloads() -> None:
    before = replace(picture(), leases={1: "a", 2: "a"}, workloads={"a": "running"})
    failed = {"workload/b": api.Component("workload/b", api.UNHEALTHY, "exit 1")}
    now = replace(picture(), leases={2: "b"}, workloads={"b": "failed"}, components=failed)
    assert [(kind, message) for kind, _, message in told(before, now)] == [
        ("lease", "NPU 1 is given back by a"),
        ("lease", "NPU 2 is given back by a"),
        ("lease", "NPU 2 is leased to b"),
        ("workload", "workload a is removed"),
        ("workload", "workload b is failed: exit 1"),
    ]


def test_cordon_and_uncordon() -> None:
    cordoned = replace(picture(), cordoned=True)
    assert told(picture(), cordoned) == [("cordon", "node", "the node is cordoned")]
    assert told(cordoned, picture()) == [("cordon", "node", "the node is no longer cordoned")]
    assert told(replace(picture(), cordoned=None), picture()) == []


def test_a_rule_on_trial_reports_once() -> None:
    trial = replace(picture(), trials={"npu/3": ("mine would say unhealthy",)})
    assert told(picture(), trial) == [("rule", "npu/3", "dry run, no effect on npu/3: mine would say unhealthy")]
    assert told(trial, trial) == []


def test_many_reasons_are_counted() -> None:
    reasons = [f"npu/{number}: unknown" for number in range(8)]
    (draft,) = changes(picture(), replace(picture(), ready=False), reasons)
    assert draft.message.endswith("npu/4: unknown; 3 more")
    assert draft.data["reasons"] == reasons


def test_a_picture_is_kept_as_json() -> None:
    kept = replace(
        picture(npu_3=api.UNHEALTHY), leases={3: "a"}, workloads={"a": "running"}, trials={"npu/3": ("mine",)}
    )
    assert Picture.from_document(json.loads(json.dumps(kept.to_document()))) == kept


@pytest.mark.parametrize("document", [None, {}, {"components": 3}, [], {"components": [{}]}])
def test_a_picture_that_cannot_be_read_is_empty(document: object) -> None:
    assert Picture.from_document(document) == Picture()
