"""The agent tells the truth: every fault has a state, a reason and an action, and what happened is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import requests
import yaml

from support.fleet import Fleet
from support.nodes import Node, wait_until

PLATFORM_FILE = "/opt/cloud/node/npu_status.yaml"
FILES = "/etc/npufleet/agent.yaml /etc/npufleet/health.yaml"

# Faults of single NPUs, all at once: what is injected, which component, state, action, and words of the reason.
NPU_FAULTS = [
    ("npu=0 health=Critical code=80E01801", "npu/0", "unhealthy", "restart-workload", "uncorrectable (multi-bit)"),
    ("npu=1 code=80E3A203", "npu/1", "unhealthy", "reset-npu", "current cannot be measured"),
    ("npu=2 code=80818C00", "npu/2", "unhealthy", "replace-hardware", "npu-smi reports Warning, code 80818C00"),
    ("npu=3 code=80C98000", "npu/3", "degraded", "restart-workload", "AI core"),
    ("npu=4 code=8C084E00", "npu/4", "degraded", "reset-npu-when-idle", "no sign of life"),
    ("npu=5 health=Alarm", "npu/5", "unhealthy", "reset-npu-when-idle", "npu-smi reports Alarm"),
    ("npu=6 health=UNKNOWN", "npu/6", "unknown", "check-driver", "UNKNOWN"),
    ("npu=7 temperature=105", "npu/7", "unhealthy", "fix-configuration", "105 C"),
    ("npu=6 link=DOWN", "npu-network/6", "unhealthy", "fix-configuration", "link-down: it has lasted longer than 3 s"),
    ("npu=7 net_health=Unreachable", "npu-network/7", "degraded", "fix-configuration", "says Unreachable"),
]
# Faults of the tools and the bus, one after the other.
TOOL_FAULTS = [
    ("drop-card 5", "npu/5", "unhealthy", "reboot-node", "the card has dropped out"),
    ("drop-card 5", "npu-count", "unhealthy", "reboot-node", "lists 7 of 8 NPUs; missing: 5"),
    ("not-ready", "driver", "unhealthy", "check-driver", "the driver is not ready"),
    ("not-ready", "npu/0", "unknown", "check-driver", "last seen"),
    ("occupied", "npu/0", "unknown", "fix-configuration", "-8020"),
    ("garbage", "npu/7", "unknown", "none", "last seen"),
    ("garbage binary", "probe", "unknown", "none", "last good answer"),
    ("garbage empty", "probe", "unknown", "none", "last good answer"),
    ("hang", "npu/0", "unknown", "check-driver", "last seen"),
]  # fmt: skip


def ready(node: Node) -> bool:
    return node.http("GET", "/readyz").status_code == 200


def not_ready(node: Node) -> dict[str, object] | None:
    answer = node.http("GET", "/readyz")
    return dict(answer.json()) if answer.status_code == 503 else None


def components(node: Node) -> dict[str, dict[str, Any]]:
    return {c["name"]: dict(c) for c in node.get("/v1/health")["components"]}


def restart(node: Node) -> None:
    node.run("systemctl restart npu-agent")
    wait_until("ready after the restart", 40, lambda: ready(node))


@pytest.fixture
def healthy(prepared: Fleet, node: Node) -> Iterator[Node]:
    prepared.fault(node, "heal")
    wait_until("ready", 40, lambda: ready(node))
    yield node
    prepared.fault(node, "heal")
    wait_until("ready again", 40, lambda: ready(node))


@pytest.fixture(scope="module")
def quick(prepared: Fleet) -> Iterator[Node]:
    """A node whose agent looks every other second, by a short rule of the site, and keeps the platform file."""
    node = prepared.nodes[1]
    prepared.fault(node, "heal")
    node.run(f"mkdir -p /root/kept && cp -p {FILES} /root/kept/")
    settings = yaml.safe_load(node.run("cat /etc/npufleet/agent.yaml"))
    settings["probe"] = {"fast_interval_s": 2, "slow_interval_s": 4, "timeout_s": 4}
    settings["platform_file"] = PLATFORM_FILE
    rules = yaml.safe_load(node.run("cat /etc/npufleet/health.yaml")) or {}
    rules["duration"] = {
        "npu-link-down": {"lasts_s": 3, "recovers_s": 1},
        # Faults are asked for one by one: on a busy machine none may grow old meanwhile.
        "npu-request-faults-that-stay": {"lasts_s": 900},
    }
    for path, content in zip(FILES.split(), (settings, rules), strict=True):
        node.run(f"cat > {path} <<'END'\n{json.dumps(content)}\nEND")
    restart(node)
    yield node
    prepared.fault(node, "heal")
    node.run(f"cp -p /root/kept/* /etc/npufleet/ && rm -r /root/kept {PLATFORM_FILE}")
    restart(node)


def as_told(found: dict[str, dict[str, Any]], fault: Sequence[str]) -> bool:
    _, name, state, action, words = fault
    component = found.get(name, {})
    return (component.get("state"), component.get("action")) == (state, action) and words in component["reason"]


def test_alarm_takes_the_node_out_and_healing_brings_it_back(prepared: Fleet, healthy: Node) -> None:
    prepared.fault(healthy, "npu=3", "health=Alarm", "code=80E01801")
    wait_until("readyz says 503", 30, lambda: not_ready(healthy))
    # The word is told first, the code as soon as the tool was asked for it.
    wait_until("readyz names the code", 30, lambda: "80E01801" in str(not_ready(healthy)))
    found = components(healthy)
    assert (found["npu/3"]["state"], found["npu/3"]["action"]) == ("unhealthy", "restart-workload")
    assert found["npu/2"]["state"] == "healthy"
    metrics = healthy.api("GET", "/metrics").text
    lines = [
        line for line in metrics.splitlines() if line.startswith("npu_chip_info_health_status{") and 'id="3"' in line
    ]
    assert [float(line.split()[1]) for line in lines] == [0.0]
    refused = healthy.put_workload("on-bad", image="npufleet-lab/busybox:1", npus=[3], command=["sleep", "60"])
    assert refused.status_code == 503
    assert refused.json()["code"] == "npu-unhealthy"

    prepared.fault(healthy, "heal")
    wait_until("ready after healing", 40, lambda: ready(healthy))
    assert components(healthy)["npu/3"]["state"] == "healthy"


def test_every_fault_of_an_npu_has_a_state_a_reason_and_an_action(prepared: Fleet, quick: Node) -> None:
    for words in dict.fromkeys(fault[0] for fault in NPU_FAULTS):
        prepared.fault(quick, *words.split(" "))
    missing: list[Any] = []

    def all_told() -> bool:
        found = components(quick)
        missing[:] = [(fault, found.get(fault[1])) for fault in NPU_FAULTS if not as_told(found, fault)]
        return not missing

    try:
        wait_until("every fault is told", 90, all_told)
    except AssertionError:
        pytest.fail(json.dumps(missing, indent=1, ensure_ascii=False))
    sick = components(quick)["npu/1"]
    assert sick["resets"] == list(range(8))
    assert sick["advice"].startswith("resetting NPU 1 resets all 8")
    status = yaml.safe_load(quick.run(f"cat {PLATFORM_FILE}"))["resources"][0]["status"]
    assert [one["errLevel"] for one in status] == ["L3", "L4", "L5", "L2", "L4", "L4", "L5", "L4"]
    assert status[0]["errCodes"] == ["0x80E01801"]
    prepared.fault(quick, "heal")
    try:
        wait_until("ready after healing", 40, lambda: ready(quick))
    except AssertionError:
        pytest.fail(json.dumps(not_ready(quick), indent=1, ensure_ascii=False))
    assert {c["state"] for c in components(quick).values()} == {"healthy"}


@pytest.mark.parametrize("words", list(dict.fromkeys(fault[0] for fault in TOOL_FAULTS)))
def test_every_fault_of_the_tools_has_a_state_a_reason_and_an_action(prepared: Fleet, quick: Node, words: str) -> None:
    prepared.fault(quick, "heal")
    wait_until("ready", 40, lambda: ready(quick))
    prepared.fault(quick, *words.split(" "))
    expected = [fault for fault in TOOL_FAULTS if fault[0] == words]
    for fault in expected:
        wait_until(f"{fault}", 30, lambda fault=fault: as_told(components(quick), fault))  # type: ignore[misc]
    assert not_ready(quick)
    assert quick.http("GET", "/healthz").status_code == 200
    if expected[0][2] == "unknown":
        wait_until(
            "the platform file vouches for nothing", 15, lambda: "errLevel: L5" in quick.run(f"cat {PLATFORM_FILE}")
        )


def test_what_is_not_sick_stays_well(prepared: Fleet, quick: Node) -> None:
    prepared.fault(quick, "heal")
    wait_until("ready", 40, lambda: ready(quick))
    prepared.fault(quick, "process", "npu=3", "pid=4711", "name=python", "mb=58593")
    prepared.fault(quick, "npu=2", "code=81078603")
    wait_until("the holder is named", 30, lambda: quick.get("/v1/npus")["npus"][3]["holder"])
    wait_until("the code is known", 30, lambda: quick.get("/v1/npus")["npus"][2]["error_codes"])
    found = components(quick)
    assert {found[name]["state"] for name in ("npu/2", "npu/3", "probe")} == {"healthy"}
    prepared.fault(quick, "heal")


class Follower:
    """Reads server-sent events as `curl -N` would."""

    def __init__(self, node: Node, last: int) -> None:
        headers = {"Authorization": f"Bearer {node.token('view')}", "Last-Event-ID": str(last)}
        url = f"https://{node.address}:{node.port}/v1/events?follow=1"
        self._answer = requests.get(url, headers=headers, verify=str(node.pki / "ca.crt"), stream=True, timeout=60)
        assert self._answer.headers["content-type"].startswith("text/event-stream")
        self._lines = self._answer.iter_lines()
        self.seen: list[dict[str, Any]] = []

    def until(self, kind: str, subject: str, words: str = "") -> dict[str, Any]:
        for line in self._lines:
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                self.seen.append(event)
                if (event["kind"], event["subject"]) == (kind, subject) and words in event["message"]:
                    return dict(event)
        raise AssertionError(f"the stream ended before {kind} {subject} {words}: {self.seen}")


def test_events_are_seen_in_order_and_a_restart_loses_nothing(prepared: Fleet, quick: Node) -> None:
    wait_until("ready", 40, lambda: ready(quick))
    follower = Follower(quick, quick.get("/v1/events")["newest"])
    prepared.fault(quick, "npu=1", "code=80E3A203")
    fault = follower.until("health", "npu/1", "80E3A203")
    assert fault["data"]["marks"] == ["80E3A203"]
    told = [(event["kind"], event["subject"]) for event in follower.seen]
    assert told.index(("health", "npu/1")) < told.index(("ready", "node"))
    since = components(quick)["npu/1"]["since"]

    quick.run("systemctl restart npu-agent")
    follower.until("agent", "agent", "stops")
    wait_until("it looked again", 40, lambda: components(quick)["npu/1"]["state"] == "unhealthy")
    assert components(quick)["npu/1"]["since"] == since

    again = Follower(quick, fault["seq"])
    again.until("agent", "agent", "has started")
    prepared.fault(quick, "heal")
    well = again.until("health", "npu/1", "healthy")
    assert well["data"]["from"] == "unhealthy"
    again.until("ready", "node", "is ready")
    numbers = [event["seq"] for event in again.seen]
    assert numbers == list(range(fault["seq"] + 1, fault["seq"] + 1 + len(numbers)))
    assert quick.get("/v1/events?after=1")["gap"]


def test_an_agent_that_was_killed_vouches_for_nothing(quick: Node) -> None:
    wait_until("the file says healthy", 40, lambda: "errLevel: L0" in quick.run(f"cat {PLATFORM_FILE}"))
    quick.run("systemctl stop npu-agent")
    status = yaml.safe_load(quick.run(f"cat {PLATFORM_FILE}"))["resources"][0]["status"]
    assert {(one["health"], one["errLevel"]) for one in status} == {(False, "L5")}
    quick.run("systemctl start npu-agent")
    wait_until("the file says healthy again", 40, lambda: "errLevel: L0" in quick.run(f"cat {PLATFORM_FILE}"))


def test_a_fault_code_is_explained_on_the_node_and_over_the_api(node: Node) -> None:
    assert "训练场景" in node.run("npu-agent faults 2162169857 --lang zh")
    assert node.get("/v1/faults/0x80e01801")["action"] == "restart-workload"


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
