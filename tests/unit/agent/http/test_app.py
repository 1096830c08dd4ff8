from __future__ import annotations

import logging

import pytest

from npu_agent import api
from npu_agent.http.app import ENDPOINTS
from unit.agent.bench import spec
from unit.agent.http.client import Api

OPEN = {"/healthz", "/readyz", "/openapi.json", "/docs"}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_who_may_do_what(agent: Api, endpoint: object) -> None:
    method, path = endpoint.method, endpoint.path.replace("{name}", "x")  # type: ignore[attr-defined]  # an Endpoint
    if path in OPEN:
        assert agent.outside.request(method, path).status_code == 200
        return
    answer = agent.outside.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    expected = 200 if method == "GET" else 403
    assert agent.ask(method, path, token="view").status_code in {expected, 404}
    assert agent.ask(method, path, token="op").status_code not in {401, 403}


def test_the_sockets_root_needs_no_token(agent: Api) -> None:
    assert agent.inside.put("/v1/workloads/job", json=spec()).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/none", 404, "not-found"),
        ("GET", "/v1/npus/", 404, "not-found"),
        ("POST", "/v1/npus", 405, "method-not-allowed"),
        ("PATCH", "/v1/workloads/x", 405, "method-not-allowed"),
    ],
)
def test_what_is_not_there_is_a_problem_document(agent: Api, method: str, path: str, status: int, code: str) -> None:
    answer = agent.ask(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, api.PROBLEM_MEDIA_TYPE)
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["remedy"]


def test_405_names_what_is_allowed(agent: Api) -> None:
    allowed = agent.ask("PATCH", "/v1/workloads/x").headers["allow"]
    assert set(allowed.split(", ")) == {"GET", "HEAD", "PUT", "DELETE"}


def test_many_wrong_tokens_are_slowed_down(agent: Api) -> None:
    statuses = [agent.ask("GET", "/v1/node", token="wrong").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert agent.ask("GET", "/v1/node").status_code == 200


def test_every_change_is_in_the_journal_with_its_author(agent: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "npu_agent.audit")
    agent.ask("PUT", "/v1/workloads/job", json=spec())
    agent.ask("PUT", "/v1/workloads/a%0Ab", json={})
    lines = [record.getMessage() for record in caplog.records if record.name == "npu_agent.audit"]
    assert lines == [
        "PUT /v1/workloads/job by op from testclient: 201",
        "PUT /v1/workloads/a\\nb by op from testclient: 422",
    ]


def test_an_unforeseen_failure_is_a_problem_without_a_traceback(agent: Api, caplog: pytest.LogCaptureFixture) -> None:
    agent.now = None  # type: ignore[assignment]  # nobody foresees this
    answer = agent.ask("GET", "/v1/node")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "Traceback" not in answer.text
    assert "an unforeseen failure" in caplog.text


def test_answers_are_not_cached(agent: Api) -> None:
    assert agent.ask("GET", "/v1/node").headers["cache-control"] == "no-store"
