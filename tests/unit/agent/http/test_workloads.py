from __future__ import annotations

import pytest

from npu_agent import api, engine
from unit.agent.bench import spec
from unit.agent.http.client import Api

JOB = "/v1/workloads/job"


def test_put_get_delete(agent: Api) -> None:
    created = agent.ask("PUT", JOB, json=spec(npus=[3]))
    assert (created.status_code, created.json()["state"]) == (201, "running")
    assert agent.ask("PUT", JOB, json=spec(npus=[3])).status_code == 200
    assert agent.ask("GET", JOB).json()["npus"] == [3]
    assert [w["name"] for w in agent.ask("GET", "/v1/workloads").json()["workloads"]] == ["job"]
    removed = agent.ask("DELETE", JOB + "?grace_s=3")
    assert (removed.status_code, removed.json()["state"]) == (200, "removed")
    assert "stop 3" in agent.bench.engine.calls
    assert agent.ask("GET", JOB).status_code == 404
    assert agent.ask("DELETE", JOB).status_code == 404
    assert agent.changes == 4


def test_a_second_workload_on_the_same_npu_is_refused_by_name(agent: Api) -> None:
    agent.ask("PUT", JOB, json=spec(npus=[3]))
    answer = agent.ask("PUT", "/v1/workloads/other", json=spec("other", npus=[3]))
    problem = answer.json()
    assert answer.status_code == 409
    assert answer.headers["content-type"] == api.PROBLEM_MEDIA_TYPE
    assert (problem["code"], problem["npu"], problem["holder"]["name"]) == ("npu-held", 3, "job")
    assert problem["type"] == "urn:npufleet:problem:npu-held"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"npus": NaN}', b"[" * 100_000])
def test_what_is_no_json_is_400(agent: Api, body: bytes) -> None:
    answer = agent.ask("PUT", JOB, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"{}"])
def test_json_that_is_no_spec_is_422(agent: Api, body: bytes) -> None:
    answer = agent.ask("PUT", JOB, content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-spec")


def test_the_body_has_a_limit_whether_its_length_is_told_or_not(agent: Api) -> None:
    assert agent.ask("PUT", JOB, content=b" " * ((1 << 20) + 1)).status_code == 413
    assert agent.ask("PUT", JOB, content=iter([b" " * (1 << 19)] * 3)).status_code == 413


def test_docker_away_is_503_with_a_time_to_retry(agent: Api) -> None:
    def before(operation: str) -> None:
        raise engine.EngineUnreachableError("refused")

    agent.bench.engine.before = before
    answer = agent.ask("PUT", JOB, json=spec())
    assert (answer.status_code, answer.json()["code"]) == (503, "docker-unreachable")
    assert answer.headers["retry-after"] == "5"


def test_logs(agent: Api) -> None:
    agent.bench.engine.output = [b"one\n", b"two\n"]
    agent.ask("PUT", JOB, json=spec())
    answer = agent.ask("GET", JOB + "/logs")
    assert (answer.text, answer.headers["content-type"]) == ("one\ntwo\n", "text/plain; charset=utf-8")
    assert agent.ask("GET", JOB + "/logs?tail=1").text == "two\n"
    assert agent.ask("GET", "/v1/workloads/none/logs").status_code == 404


def test_logs_of_a_workload_without_a_container(agent: Api) -> None:
    agent.ask("PUT", JOB, json=spec())
    agent.bench.engine.documents.clear()
    agent.bench.cycle()
    assert agent.ask("GET", JOB + "/logs").status_code == 404


@pytest.mark.parametrize(
    "target",
    [
        JOB + "?grace_s=-1",
        JOB + "?grace_s=3601",
        JOB + "?grace_s=x",
        JOB + "?grace_s=99999999999999999999",
        JOB + "?grace_s=%C2%B2",
    ],
)
def test_a_wrong_grace_is_named(agent: Api, target: str) -> None:
    answer = agent.ask("DELETE", target)
    assert (answer.status_code, answer.json()["field"]) == (400, "grace_s")


@pytest.mark.parametrize("query", ["tail=x", "follow=maybe"])
def test_a_wrong_log_query_is_named(agent: Api, query: str) -> None:
    assert agent.ask("GET", f"{JOB}/logs?{query}").status_code == 400


@pytest.mark.parametrize(
    ("since", "moment"),
    [("1700000000", 1.7e9), ("2023-11-14T22:13:20Z", 1.7e9), ("2023-11-14T22:13:20", 1.7e9), ("1960-01-01", 0.0)],
)
def test_logs_since_a_moment(agent: Api, since: str, moment: float) -> None:
    agent.ask("PUT", JOB, json=spec())
    assert agent.ask("GET", f"{JOB}/logs?since={since}").status_code == 200
    assert agent.bench.engine.since == moment
    assert agent.ask("GET", f"{JOB}/logs?timestamps=1").text.startswith("2026-01-01T00:00:00.000000000Z hello")


@pytest.mark.parametrize("since", ["", "yesterday", "-1", "9" * 30, "9999-99-99"])
def test_a_wrong_moment_is_named(agent: Api, since: str) -> None:
    answer = agent.ask("GET", f"{JOB}/logs?since={since}")
    assert (answer.status_code, answer.json()["field"]) == (400, "since")


def test_restart(agent: Api) -> None:
    agent.ask("PUT", JOB, json=spec())
    answer = agent.ask("POST", JOB + ":restart")
    assert (answer.status_code, answer.json()["state"]) == (200, "running")
    assert agent.ask("POST", "/v1/workloads/none:restart").status_code == 404


def test_a_change_can_be_tied_to_what_was_seen(agent: Api) -> None:
    tag = agent.ask("PUT", JOB, json=spec()).headers["etag"]
    assert agent.ask("GET", JOB).headers["etag"] == tag
    assert agent.ask("PUT", JOB, json=spec()).headers["etag"] == tag
    stale = agent.ask("DELETE", JOB, headers={"If-Match": '"1-0000000000000000"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
    assert agent.ask("PUT", JOB, json=spec(), headers={"If-None-Match": "*"}).status_code == 412
    assert agent.ask("POST", JOB + ":restart", headers={"If-Match": tag}).headers["etag"] == tag
    assert agent.ask("DELETE", JOB, headers={"If-Match": tag}).status_code == 200


def test_a_changed_spec_is_refused_with_the_way_out(agent: Api) -> None:
    agent.ask("PUT", JOB, json=spec())
    answer = agent.ask("PUT", JOB, json=spec(command=["other"]))
    assert (answer.status_code, answer.json()["code"]) == (409, "workload-exists")
    assert "delete it first" in answer.json()["remedy"]
