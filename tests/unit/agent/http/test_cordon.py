from __future__ import annotations

import pytest

from unit.agent.bench import spec
from unit.agent.http.client import Api


def test_cordon_and_uncordon(agent: Api) -> None:
    told = agent.ask("PUT", "/v1/cordon", json={"owner": "alice", "reason": "flaky"})
    assert (told.status_code, told.json()["cordoned"]) == (200, True)
    refused = agent.ask("PUT", "/v1/workloads/job", json=spec())
    assert (refused.status_code, refused.json()["code"]) == (409, "node-cordoned")
    other = agent.ask("DELETE", "/v1/cordon?owner=bob")
    assert (other.status_code, other.json()["code"]) == (409, "cordon-of-another")
    assert agent.ask("DELETE", "/v1/cordon?owner=alice").json() == {"cordoned": False, "cordons": []}
    assert agent.ask("GET", "/v1/cordon").json()["cordoned"] is False


def test_one_npu(agent: Api) -> None:
    agent.ask("PUT", "/v1/cordon", json={"owner": "alice", "npus": [3]})
    assert agent.ask("PUT", "/v1/workloads/job", json=spec(npus=[3])).json()["code"] == "npu-cordoned"
    assert agent.ask("DELETE", "/v1/cordon?force=1&npu=3").json()["cordons"] == []


def test_drain(agent: Api) -> None:
    agent.ask("PUT", "/v1/workloads/job", json=spec())
    begun = agent.ask("PUT", "/v1/drain", json={"owner": "r7", "mode": "DeleteAfterTimeout", "deadline_s": 60})
    assert (begun.json()["state"], begun.json()["waiting_for"]) == ("draining", ["workload job"])
    agent.bench.clock.at_s += 60
    agent.bench.cycle()
    assert agent.ask("GET", "/v1/drain").json()["state"] == "drained"
    assert agent.ask("DELETE", "/v1/drain?owner=r7").json()["state"] == "none"


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/v1/cordon", {}, ""),
        ("PUT", "/v1/cordon", {"owner": ""}, "owner"),
        ("PUT", "/v1/drain", {"owner": "a", "mode": "Now"}, "mode"),
        ("PUT", "/v1/drain", {"owner": "a", "mode": "DeleteAfterTimeout"}, "deadline_s"),
        ("DELETE", "/v1/cordon", None, "owner"),
        ("DELETE", "/v1/cordon?owner=a&npu=x", None, "npu"),
        ("DELETE", "/v1/drain?force=maybe", None, "force"),
    ],
)
def test_what_is_wrong_is_named(agent: Api, method: str, path: str, body: object, field: str) -> None:
    answer = agent.ask(method, path, json=body)
    assert answer.status_code in {400, 422}
    assert (answer.json().get("field") or "") == field
