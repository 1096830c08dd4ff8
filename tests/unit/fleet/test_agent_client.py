from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from npu_agent import api, api_events
from npufleet import agent_client
from npufleet.agent_client import AgentClient
from npufleet.agent_errors import GarbageError, RefusedError, UnreachableError
from npufleet.testing import MemoryAgent, Reply
from unit.fleet.samples import make_node, make_workload, problem

TOKENS = {"view": "npf_view", "operate": "npf_operate"}


def client_of(replies: dict[str, Any]) -> tuple[AgentClient, MemoryAgent]:
    agent = MemoryAgent(replies)
    return AgentClient(make_node(), agent, TOKENS), agent


def test_reading_shows_the_view_token() -> None:
    client, agent = client_of({"GET /v1/node": Reply(api.Node("lab-1", "0.1.0").to_dict())})
    assert client.node_facts().agent_version == "0.1.0"
    assert agent.asked[0].headers["Authorization"] == "Bearer npf_view"


def test_changing_shows_the_operate_token_and_sends_the_spec() -> None:
    client, agent = client_of({"PUT /v1/workloads/x": Reply(make_workload("x").to_dict(), status=201)})
    workload, created = client.put_workload(api.WorkloadSpec("x", "img", 1))
    assert (workload.name, created) == ("x", True)
    assert agent.asked[0].headers["Authorization"] == "Bearer npf_operate"
    body = agent.asked[0].body
    assert body is not None
    assert json.loads(body)["image"] == "img"


def test_put_of_what_is_there_created_nothing() -> None:
    client, _ = client_of({"PUT /v1/workloads/x": Reply(make_workload("x").to_dict(), status=200)})
    assert client.put_workload(api.WorkloadSpec("x", "img", 1))[1] is False


def test_events_go_on_where_the_last_page_ended() -> None:
    event = api_events.Event(7, "2026-01-01T00:00:00Z", "health", "npu/3", "npu/3 is unhealthy")
    page = api_events.EventPage([event], 1, 7, 7)
    client, agent = client_of({"GET /v1/events": Reply(page.to_dict())})
    assert client.events(3) == page
    assert str(agent.asked[0].url).endswith("/v1/events?after=3")


def test_a_fault_code_is_explained() -> None:
    found = api_events.FaultInfo("80E01801", known=True, action="restart-workload")
    client, _ = client_of({"GET /v1/faults/80E01801": Reply(found.to_dict())})
    assert client.fault("80E01801") == found


@pytest.mark.parametrize(("grace", "query"), [(None, ""), (0, "?grace_s=0"), (7, "?grace_s=7")])
def test_delete_passes_the_grace_on(grace: int | None, query: str) -> None:
    client, agent = client_of({"DELETE /v1/workloads/x": Reply(make_workload("x", state="removed").to_dict())})
    assert client.delete_workload("x", grace).state == "removed"
    assert str(agent.asked[0].url).endswith(f"/v1/workloads/x{query}")


def test_names_cannot_leave_their_path() -> None:
    client, agent = client_of({})
    with pytest.raises(RefusedError):
        client.workload("../node?x=1")
    assert str(agent.asked[0].url).endswith("/v1/workloads/..%2Fnode%3Fx%3D1")


def test_refusal_is_the_agents_own() -> None:
    client, _ = client_of({"PUT /v1/workloads/x": problem(409, "npu-held", "NPU 3 is held", remedy="wait")})
    with pytest.raises(RefusedError) as caught:
        client.put_workload(api.WorkloadSpec("x", "img", [3]))
    assert (caught.value.failure.code, caught.value.failure.remedy) == ("npu-held", "wait")


@pytest.mark.parametrize(
    "reply",
    [
        *(Reply(body=body) for body in (b"<html>", b"", b"[" * 100_000, b"\xff")),
        *map(Reply, ([], {"npus": "x"}, {"npus": [3], "workloads": [3]})),
    ],
)
def test_answers_of_something_else(reply: Reply) -> None:
    client, _ = client_of({"GET /v1/npus": reply, "GET /v1/workloads": reply})
    with pytest.raises(GarbageError):
        client.npus()
    with pytest.raises(GarbageError):
        client.workloads()


def test_answer_without_end_is_cut_off() -> None:
    client, _ = client_of({"GET /v1/npus": Reply(body=b" " * (agent_client.MAX_ANSWER + 1))})
    with pytest.raises(GarbageError, match="more than 16 MiB"):
        client.npus()


def test_redirects_are_not_followed() -> None:
    client, agent = client_of({"GET /v1/npus": Reply({}, status=302)})
    with pytest.raises(GarbageError, match="302"):
        client.npus()
    assert len(agent.asked) == 1


def test_dead_node_is_unreachable() -> None:
    client, _ = client_of({"GET /v1/npus": Reply(error=requests.ConnectTimeout())})
    with pytest.raises(UnreachableError):
        client.npus()


def test_logs_with_bytes_that_are_no_text() -> None:
    client, agent = client_of({"GET /v1/workloads/x/logs": Reply(body=b"step 1\n\xff\n")})
    assert client.logs("x", tail=5) == "step 1\n�\n"
    assert "tail=5" in str(agent.asked[0].url)


def test_followed_logs_come_in_pieces_with_split_characters_whole() -> None:
    client, agent = client_of({"GET /v1/workloads/x/logs": Reply(body="Schritt für Schritt\n".encode())})
    assert "".join(client.follow_logs("x", tail=0)) == "Schritt für Schritt\n"
    assert "follow=1" in str(agent.asked[0].url)
