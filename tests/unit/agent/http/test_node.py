from __future__ import annotations

import dataclasses

from npu_agent import api
from unit.agent.bench import spec
from unit.agent.http.client import Api


def test_liveness_is_the_age_of_the_last_turn(agent: Api) -> None:
    assert agent.outside.get("/healthz").json() == {"status": "ok", "cycle_age_s": 0.5}
    agent.age = 15.1
    answer = agent.outside.get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "stuck")


def test_readiness_tells_its_reasons(agent: Api) -> None:
    assert agent.outside.get("/readyz").json() == {"ready": True, "reasons": []}
    reason = "npu/3: unhealthy: npu-smi reports Alarm"
    agent.now = dataclasses.replace(
        agent.now, health=api.HealthReport("n1", ready=False, state=api.UNHEALTHY, reasons=[reason])
    )
    answer = agent.outside.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reasons": [reason]})


def test_before_the_first_complete_probe_nothing_is_ready(agent: Api) -> None:
    agent.now = dataclasses.replace(agent.now, complete=False)
    answer = agent.outside.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reasons": ["no complete probe yet"]})


def test_a_picture_that_nobody_renews_is_not_told_as_ready(agent: Api) -> None:
    agent.age = 15.1
    answer = agent.outside.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "not turned for 15 s" in answer.json()["reasons"][0]
    report = agent.ask("GET", "/v1/health").json()
    assert (report["ready"], report["state"]) == (False, api.UNKNOWN)


def test_probes_accept_head(agent: Api) -> None:
    assert agent.outside.head("/healthz").status_code == 200


def test_metrics_are_served_as_they_were_rendered_with_their_age(agent: Api) -> None:
    answer = agent.ask("GET", "/metrics")
    assert answer.text.startswith("a 1\n")
    assert "npufleet_snapshot_age_seconds 2.5" in answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_npus_carry_the_age_of_what_is_told(agent: Api) -> None:
    answer = agent.ask("GET", "/v1/npus").json()
    assert (answer["age_s"], answer["observed_at"], len(answer["npus"])) == (2.5, "2026-01-01T00:00:00Z", 8)
    agent.now = dataclasses.replace(agent.now, observed_monotonic=None)
    assert agent.ask("GET", "/v1/npus").json()["age_s"] is None


def test_node_health_and_leases(agent: Api) -> None:
    assert agent.ask("GET", "/v1/node").json()["node"] == "n1"
    assert agent.ask("GET", "/v1/health").json()["components"][0]["name"] == "docker"
    agent.bench.workloads.put("job", spec(npus=[3]))
    leases = agent.ask("GET", "/v1/leases").json()["leases"]
    assert [(item["npu"], item["workload"], item["state"]) for item in leases] == [(3, "job", "held")]


def test_the_overview_is_the_four_answers_in_one(agent: Api) -> None:
    agent.now = dataclasses.replace(agent.now, workloads=(api.Workload("job", {"name": "job"}, npus=[3]),))
    told = agent.ask("GET", "/v1/overview").json()
    assert told["node"] == agent.ask("GET", "/v1/node").json()
    assert told["health"] == agent.ask("GET", "/v1/health").json()
    assert told["npus"] == agent.ask("GET", "/v1/npus").json()
    assert [workload["name"] for workload in told["workloads"]] == ["job"]
    assert api.Overview.from_dict(told).npus.age_s == 2.5


def test_the_overview_of_a_picture_that_nobody_renews_is_not_ready(agent: Api) -> None:
    assert agent.ask("GET", "/v1/overview").json()["health"]["ready"] is True
    agent.age = 15.1
    assert agent.ask("GET", "/v1/overview").json()["health"] == agent.ask("GET", "/v1/health").json()
    assert agent.ask("GET", "/v1/overview").json()["health"]["ready"] is False
