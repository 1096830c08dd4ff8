from __future__ import annotations

from typing import Any

import pytest
import requests

from npu_agent import api
from npufleet import survey
from npufleet.result import Exit
from npufleet.testing import MemoryAgent, Reply
from unit.fleet.samples import (
    make_facts,
    make_fleet,
    make_npu,
    make_npus,
    make_workload,
    problem,
    replies_of,
    sick_facts,
)


def only(answer: Any) -> survey.NodeStatus:
    return survey.take(make_fleet({"lab-1": answer}))[0]


def test_worst_first_then_by_number() -> None:
    statuses = survey.take(
        make_fleet(
            {
                "lab-10": make_facts("lab-10"),
                "lab-2": make_facts("lab-2"),
                "lab-3": sick_facts("lab-3"),
                "lab-4": requests.ConnectTimeout(),
                "lab-5": {},
                "lab-6": make_facts("lab-6", components=[api.Component("nic", api.DEGRADED)]),
            }
        )
    )
    assert [(status.node.name, status.state) for status in statuses] == [
        ("lab-4", "unreachable"), ("lab-5", "unknown"), ("lab-3", "not-ready"),
        ("lab-6", "ready"), ("lab-2", "ready"), ("lab-10", "ready"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ready", "state", "judged"),
    [
        (True, "healthy", "ready"), (True, "degraded", "ready"), (False, "unhealthy", "not-ready"),
        (False, "healthy", "not-ready"), (True, "unknown", "unknown"), (True, "splendid", "unknown"),
    ],
)  # fmt: skip
def test_ready_is_believed_only_of_an_agent_that_knows_its_state(ready: bool, state: str, judged: str) -> None:
    assert only(make_facts(ready=ready, state=state)).state == judged


@pytest.mark.parametrize(("part", "judged"), [("npu-network/3", "ready"), ("driver", "unknown")])
def test_a_port_that_was_not_asked_lately_keeps_no_work_away(part: str, judged: str) -> None:
    """The agent says ready, and so does the fleet: else a job is refused for minutes after an agent's restart."""
    status = only(
        make_facts(ready=True, state="unknown", components=[api.Component(part, api.UNKNOWN, "not asked yet")])
    )
    assert status.state == judged
    assert [reason.text for reason in status.reasons] == [f"{part}: unknown: not asked yet"]


def test_agent_that_does_not_accept_the_token_is_unknown_not_unreachable() -> None:
    status = only({"GET /v1/node": problem(401, "unauthenticated", "no such token")})
    assert status.state == "unknown"
    assert status.failure is not None
    assert status.failure.code == "auth"


def test_half_an_answer_is_no_answer() -> None:
    status = only({"GET /v1/node": Reply(make_facts().node.to_dict())})
    assert status.state == "unknown"
    assert status.facts is None


def test_reasons_carry_the_action_of_their_component() -> None:
    status = only(sick_facts())
    assert [(reason.text.split(":")[0], reason.action) for reason in status.reasons] == [
        ("npu/3", "reset-npu-when-idle"), ("disk/var", "fix-configuration"),
    ]  # fmt: skip
    assert status.failure is not None
    assert status.failure.message.startswith("lab-1 is not ready: npu/3: unhealthy: npu-smi reports Alarm")


def test_reasons_without_a_component_are_kept() -> None:
    status = only(make_facts(ready=False, state="unhealthy", reasons=["the clock is wrong"]))
    assert [reason.text for reason in status.reasons] == ["the clock is wrong"]


def test_same_trouble_of_many_npus_is_told_once() -> None:
    parts = [api.Component(f"npu/{n}", api.UNKNOWN, "npu-smi hangs", "check-driver") for n in (0, 1, 2, 5)]
    parts += [api.Component("docker", api.UNKNOWN, "npu-smi hangs", "check-driver")]
    assert [part.name for part in survey.fold(parts)] == ["npu/0-2,5", "docker"]


@pytest.mark.parametrize(
    ("npu", "use"),
    [
        (make_npu(0), "free"), (make_npu(0, api.DEGRADED), "free"), (make_npu(0, holder="x"), "held"),
        (make_npu(0, api.UNHEALTHY, holder="x"), "unhealthy"), (make_npu(0, api.UNKNOWN), "unknown"),
        (make_npu(0, "splendid"), "unknown"),
    ],
)  # fmt: skip
def test_each_npu_is_counted_once_and_never_free_when_unknown(npu: api.Npu, use: str) -> None:
    assert survey.npu_use(npu) == use


def test_summary_counts_and_admits_what_it_did_not_see() -> None:
    statuses = survey.take(
        make_fleet({"a": make_facts(npus=make_npus(held={0: "x"})), "b": sick_facts(), "c": requests.ConnectTimeout()})
    )
    assert survey.summarize(statuses).to_dict() == {
        "nodes": {"total": 3, "ready": 1, "not-ready": 1, "unreachable": 1, "unknown": 0},
        "npus": {"free": 12, "held": 3, "unhealthy": 1, "unknown": 0},
        "nodes_not_seen": 1,
    }


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"a": make_facts()}, Exit.FINE),
        ({"a": make_facts(), "b": sick_facts()}, Exit.PARTLY),
        ({"a": make_facts(), "b": requests.ConnectTimeout()}, Exit.PARTLY),
        ({"a": requests.ConnectTimeout(), "b": requests.ConnectTimeout()}, Exit.UNREACHABLE),
        ({"a": sick_facts()}, Exit.PARTLY),
    ],
)
def test_exit_code_of_the_fleet(answers: dict[str, Any], code: Exit) -> None:
    assert survey.summarize(survey.take(make_fleet(answers))).exit_code == code


def test_data_of_an_unseen_node_is_null_not_empty() -> None:
    data = survey.to_dict(only(requests.ConnectTimeout()))
    assert data["npus"] is None
    assert data["workloads"] is None
    assert data["cordoned"] is None


def test_data_of_a_seen_node() -> None:
    data = survey.to_dict(only(make_facts(workloads=[make_workload("x", (1,))])))
    assert (data["state"], data["chip"], len(data["npus"])) == ("ready", "910B3", 8)
    assert data["workloads"][0]["name"] == "x"


def test_one_question_is_enough_where_the_agent_has_the_overview() -> None:
    facts = make_facts()
    overview = api.Overview(facts.node, facts.health, facts.npus, [make_workload()])
    agent = MemoryAgent({"GET /v1/overview": Reply(overview.to_dict())})
    assert only(agent).running == ["train-1"]
    assert len(agent.asked) == 1


def test_an_agent_without_the_overview_is_asked_for_it_once() -> None:
    agent = MemoryAgent(replies_of(make_facts()))
    fleet = make_fleet({"lab-1": agent})
    assert [survey.take(fleet)[0].state for _ in range(2)] == ["ready", "ready"]
    assert [request.path_url for request in agent.asked].count("/v1/overview") == 1
    assert len(agent.asked) == 9
