"""The fault table over HTTP."""

from __future__ import annotations

import pytest

from unit.agent.http.client import Api


@pytest.mark.parametrize("written", ["80E01801", "0x80e01801", "2162169857"])
def test_a_code_is_explained(agent: Api, written: str) -> None:
    found = agent.ask("GET", f"/v1/faults/{written}", token="view").json()
    assert (found["code"], found["level"], found["known"]) == ("80E01801", "RestartBusiness", True)
    assert (found["state"], found["action"]) == ("unhealthy", "restart-workload")
    assert "HBM" in found["cause"]["zh"]
    assert found["advice"]["training"]["en"] != found["advice"]["inference"]["en"]


def test_a_code_that_nobody_knows_gets_the_rule_for_those(agent: Api) -> None:
    found = agent.ask("GET", "/v1/faults/FFFFFFF0").json()
    assert (found["known"], found["state"]) == (False, "degraded")
    assert "Health word decides" in found["rules"][0]


def test_what_is_no_code_is_not_found(agent: Api) -> None:
    answer = agent.ask("GET", "/v1/faults/nonsense")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
