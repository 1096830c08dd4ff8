"""The agent tells the truth: a bad NPU takes the node out, a healed one brings it back, silence is not health."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from support.fleet import Fleet
from support.nodes import Node, wait_until


@pytest.fixture
def healthy(prepared: Fleet, node: Node) -> Iterator[Node]:
    prepared.fault(node, "heal")
    wait_until("ready", 40, lambda: node.http("GET", "/readyz").status_code == 200)
    yield node
    prepared.fault(node, "heal")
    wait_until("ready again", 40, lambda: node.http("GET", "/readyz").status_code == 200)


def not_ready(node: Node) -> dict[str, object] | None:
    answer = node.http("GET", "/readyz")
    return dict(answer.json()) if answer.status_code == 503 else None


def component(node: Node, name: str) -> dict[str, str]:
    return next(dict(c) for c in node.get("/v1/health")["components"] if c["name"] == name)


def test_alarm_takes_the_node_out_and_healing_brings_it_back(prepared: Fleet, healthy: Node) -> None:
    prepared.fault(healthy, "npu=3", "health=Alarm", "code=80E01801")
    answer = wait_until("readyz says 503", 30, lambda: not_ready(healthy))
    assert any("npu/3" in str(reason) and "80E01801" in str(reason) for reason in answer["reasons"]), answer  # type: ignore[attr-defined]
    assert component(healthy, "npu/3")["state"] == "unhealthy"
    assert component(healthy, "npu/3")["action"] != "none"
    assert component(healthy, "npu/2")["state"] == "healthy"
    metrics = healthy.api("GET", "/metrics").text
    lines = [
        line for line in metrics.splitlines() if line.startswith("npu_chip_info_health_status{") and 'id="3"' in line
    ]
    assert [float(line.split()[1]) for line in lines] == [0.0]
    refused = healthy.put_workload("on-bad", image="npufleet-lab/busybox:1", npus=[3], command=["sleep", "60"])
    assert refused.status_code == 503
    assert refused.json()["code"] == "npu-unhealthy"

    prepared.fault(healthy, "heal")
    wait_until("ready after healing", 40, lambda: healthy.http("GET", "/readyz").status_code == 200)
    assert component(healthy, "npu/3")["state"] == "healthy"


def test_a_hanging_tool_is_unknown_and_the_agent_still_answers(prepared: Fleet, healthy: Node) -> None:
    prepared.fault(healthy, "hang")
    wait_until("readyz says 503", 60, lambda: not_ready(healthy))
    assert component(healthy, "npu/0")["state"] == "unknown"
    assert healthy.http("GET", "/healthz").status_code == 200
    assert healthy.get("/v1/npus")["age_s"] > 0


@pytest.mark.parametrize("fault", ["garbage", "occupied"])
def test_an_unreadable_answer_is_not_health(prepared: Fleet, healthy: Node, fault: str) -> None:
    prepared.fault(healthy, fault)
    wait_until("readyz says 503", 40, lambda: not_ready(healthy))
    assert component(healthy, "probe")["state"] != "healthy"
    # A table that is cut off still shows its first rows; what it does not show is known for three intervals more.
    wait_until("npu/7 is unknown", 20, lambda: component(healthy, "npu/7")["state"] == "unknown")


def test_a_card_that_fell_off_is_missed(prepared: Fleet, healthy: Node) -> None:
    prepared.fault(healthy, "drop-card", "5")
    wait_until("readyz says 503", 40, lambda: not_ready(healthy))
    assert component(healthy, "npu-count")["state"] == "unhealthy"
    assert component(healthy, "npu/5")["state"] != "healthy"
    assert component(healthy, "npu/4")["state"] == "healthy"


def test_the_api_asks_who_is_there(node: Node) -> None:
    assert node.http("GET", "/healthz").status_code == 200
    assert node.http("GET", "/v1/npus").status_code == 401
    assert node.http("GET", "/metrics").status_code == 401
    assert node.http("GET", "/v1/npus", token="npf_" + "0" * 64).status_code == 401
    assert node.http("GET", "/v1/npus", token=node.token("view")).status_code == 200
    spec = {"name": "x", "image": "npufleet-lab/busybox:1", "npus": 1}
    assert node.http("PUT", "/v1/workloads/x", token=node.token("view"), json=spec).status_code == 403


def test_a_token_of_one_node_is_worth_nothing_on_another(prepared: Fleet) -> None:
    first, second = prepared.nodes
    assert second.http("GET", "/v1/npus", token=first.token("operate")).status_code == 401


def test_plain_http_and_strangers_certificates_get_nowhere(node: Node) -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"http://{node.address}:{node.port}/healthz", timeout=10)
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://{node.address}:{node.port}/healthz", timeout=10)
