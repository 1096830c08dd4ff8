from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from starlette.testclient import TestClient

from npu_agent import api, audit
from npu_agent.http import peer
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


def audited(agent: Api, name: str) -> list[tuple[Any, ...]]:
    path = agent.bench.folder / "trail" / name
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(line["who"], line["via"], line["what"], line["status"], line.get("code")) for line in found]


def test_every_change_is_written_down_with_its_author(agent: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "npu_agent.audit")
    agent.ask("PUT", "/v1/workloads/job", json=spec())
    agent.ask("PUT", "/v1/workloads/a%0Ab", json={})
    agent.inside.delete("/v1/workloads/job")
    agent.ask("GET", "/v1/workloads")
    assert audited(agent, audit.CHANGES) == [
        ("op", "token", "PUT /v1/workloads/job", 201, None),
        ("op", "token", "PUT /v1/workloads/a\nb", 422, "invalid-spec"),
        ("root on this node", "socket", "DELETE /v1/workloads/job", 200, None),
    ]
    lines = [record.getMessage() for record in caplog.records if record.name == "npu_agent.audit"]
    assert lines[1] == "PUT /v1/workloads/a\\nb by op from testclient: 422 invalid-spec"
    assert len(lines) == 3


def test_who_was_refused_is_written_down(agent: Api) -> None:
    agent.ask("GET", "/v1/node", token="wrong")
    agent.ask("DELETE", "/v1/workloads/job", token="view")
    agent.outside.put("/v1/cordon", json={"owner": "a"})
    agent.outside.get("/v1/node")  # nobody in particular asked for nothing in particular
    assert audited(agent, audit.REFUSED) == [
        ("unknown", "none", "GET /v1/node", 401, "unauthenticated"),
        ("view", "none", "DELETE /v1/workloads/job", 403, "forbidden"),
        ("unknown", "none", "PUT /v1/cordon", 401, "unauthenticated"),
    ]
    assert audited(agent, audit.CHANGES) == []


def test_a_change_that_fails_unforeseen_is_written_down(agent: Api) -> None:
    def fail(_operation: str) -> None:
        raise ZeroDivisionError

    agent.bench.engine.before = fail
    assert agent.ask("PUT", "/v1/workloads/job", json=spec()).status_code == 500
    assert audited(agent, audit.CHANGES) == [("op", "token", "PUT /v1/workloads/job", 500, None)]


def test_no_token_and_no_body_is_ever_written_down(agent: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret, told = "npf_" + "5e" * 32, "hf_secretofauser"
    answers = [
        agent.ask("PUT", "/v1/workloads/job", json=spec(env={"HF_TOKEN": told})),
        agent.ask("PUT", "/v1/workloads/job", token=secret, json=spec(env={"HF_TOKEN": told})),
        agent.outside.get("/v1/node", headers={"Authorization": f"Basic {secret}"}),
        agent.outside.get("/v1/node", headers={"Authorization": secret}),
        agent.ask("PUT", f"/v1/workloads/job?reservation={secret}", json=spec(env={"HF_TOKEN": told})),
        agent.ask("PUT", "/v1/workloads/job", json={"name": "job", "env": told}),
    ]
    kept = [path.read_text() for path in (agent.bench.folder / "trail").iterdir()]
    said = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    places = [*said, *kept, *(answer.text for answer in answers[1:4])]
    assert not [place for place in places if secret in place or told in place]


def test_another_user_at_roots_socket_is_refused(agent: Api) -> None:
    async def through_the_socket(scope: Any, receive: Any, send: Any) -> None:
        scope[peer.SCOPE_KEY] = peer.Peer(uid=4711, pid=1)
        await agent.inside.app(scope, receive, send)

    answer = TestClient(through_the_socket).get("/v1/node")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert audited(agent, audit.REFUSED)[0][0] == "uid 4711"


def test_a_client_certificate_is_as_good_as_a_token(agent: Api) -> None:
    def shown(name: str) -> TestClient:
        async def with_certificate(scope: Any, receive: Any, send: Any) -> None:
            scope[peer.SCOPE_KEY] = peer.Peer(certificate=name)
            await agent.outside.app(scope, receive, send)

        return TestClient(with_certificate)

    assert shown("alice").get("/v1/node").status_code == 200
    assert shown("alice").delete("/v1/workloads/job").status_code == 403
    assert shown("mallory").get("/v1/node").status_code == 403
    wrong = shown("alice").get("/v1/node", headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    assert [line[0] for line in audited(agent, audit.REFUSED)] == ["alice", "mallory", "unknown"]


def test_a_machine_with_many_ipv6_addresses_guesses_no_faster(agent: Api) -> None:
    async def from_elsewhere(scope: Any, receive: Any, send: Any) -> None:
        number = int(dict(scope["headers"])[b"x-number"])
        await agent.outside.app({**scope, "client": (f"2001:db8::{number:x}", 1)}, receive, send)

    guess = {"Authorization": "Bearer wrong"}
    client = TestClient(from_elsewhere)
    found = [client.get("/v1/node", headers={**guess, "X-Number": str(n)}).status_code for n in range(11)]
    assert found == [401] * 10 + [429]


def test_a_verb_after_a_colon_is_no_part_of_a_name(agent: Api) -> None:
    answer = agent.ask("PUT", "/v1/workloads/job:restart", json=spec())
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_an_unforeseen_failure_is_a_problem_without_a_traceback(agent: Api, caplog: pytest.LogCaptureFixture) -> None:
    agent.now = None  # type: ignore[assignment]  # nobody foresees this
    answer = agent.ask("GET", "/v1/node")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
    assert "Traceback" not in answer.text
    assert "an unforeseen failure" in caplog.text


def test_answers_are_not_cached(agent: Api) -> None:
    assert agent.ask("GET", "/v1/node").headers["cache-control"] == "no-store"
