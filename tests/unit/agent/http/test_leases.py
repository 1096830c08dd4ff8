from __future__ import annotations

from unit.agent.bench import spec
from unit.agent.http.client import Api

PATH = "/v1/leases/big"


def test_reserve_commit_and_cancel(agent: Api) -> None:
    created = agent.ask("PUT", PATH, json={"npus": [4, 5], "ttl_s": 30})
    assert (created.status_code, created.json()["npus"]) == (201, [4, 5])
    assert agent.ask("PUT", PATH, json={"npus": [4, 5], "ttl_s": 60}).status_code == 200
    assert agent.ask("GET", PATH).json()["ttl_s"] == 60
    assert [one["reservation"] for one in agent.ask("GET", "/v1/leases").json()["reservations"]] == ["big"]
    refused = agent.ask("PUT", "/v1/workloads/job", json=spec(npus=[4]))
    assert (refused.json()["code"], refused.json()["holder"]["kind"]) == ("npu-held", "reservation")
    done = agent.ask("PUT", "/v1/workloads/job?reservation=big", json=spec(npus=2))
    assert (done.status_code, done.json()["npus"]) == (201, [4, 5])
    assert agent.ask("GET", PATH).status_code == 404
    assert agent.ask("DELETE", PATH).json() == {"reservation": "big", "cancelled": False}


def test_a_reservation_that_is_over_is_told(agent: Api) -> None:
    agent.ask("PUT", PATH, json={"npus": 1, "ttl_s": 30})
    agent.bench.clock.at_s += 31
    answer = agent.ask("PUT", "/v1/workloads/job?reservation=big", json=spec())
    assert (answer.status_code, answer.json()["code"]) == (409, "reservation-gone")
