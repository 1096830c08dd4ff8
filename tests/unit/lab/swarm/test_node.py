from __future__ import annotations

import time

import pytest

from npu_agent import api
from npu_agent.nodefacts import NodeFacts
from npufleet_lab.swarm import node
from npufleet_lab.swarm.node import SimulatedNode
from npufleet_lab.swarm.script import Setting


@pytest.fixture
def simulated() -> SimulatedNode:
    return SimulatedNode("sim-0001", "127.16.0.1", NodeFacts(), lambda action: action())


def messages(simulated: SimulatedNode) -> list[str]:
    return [event.message for event in simulated.history.read(0).events]


def test_it_says_that_it_is_simulated(simulated: SimulatedNode) -> None:
    told = simulated.published().node
    assert told.facts == {"simulated": True, "notice": node.NOTICE}
    assert told.agent_version.endswith("+simulated")
    assert "simulated" in messages(simulated)[0]


@pytest.mark.parametrize(
    ("setting", "state", "reason"),
    [
        (Setting(), api.HEALTHY, None),
        (Setting(npus=(3,)), api.UNHEALTHY, "npu/3"),
        (Setting(unhealthy=True), api.UNHEALTHY, "docker"),
        (Setting(unhealthy_on="0.2.0", version="0.2.0"), api.UNHEALTHY, "docker"),
        (Setting(unhealthy_on="0.2.0", version="0.1.0"), api.HEALTHY, None),
        (Setting(unknown=True), api.UNKNOWN, "probe"),
    ],
)
def test_health_follows_the_setting(simulated: SimulatedNode, setting: Setting, state: str, reason: str | None) -> None:
    simulated.set(setting)
    health = simulated.published().health
    assert (health.ready, health.state) == (reason is None, state)
    assert reason is None or any(reason in text for text in health.reasons)


def test_what_is_unknown_has_no_readings(simulated: SimulatedNode) -> None:
    simulated.set(Setting(unknown=True))
    assert {(npu.state, npu.power_w, npu.health) for npu in simulated.published().npus} == {(api.UNKNOWN, None, None)}


def test_changes_are_events_and_another_version_is_a_start(simulated: SimulatedNode) -> None:
    simulated.published()
    simulated.set(Setting(npus=(3,)))
    simulated.set(Setting(version="0.2.0"))
    told = messages(simulated)
    assert any(text.startswith("npu/3 is unhealthy") for text in told)
    assert any(text.startswith("npu-agent 0.2.0 starts") for text in told)
    assert simulated.published().node.agent_version == "0.2.0"


def test_flapping(simulated: SimulatedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    simulated._begun = 100.0
    simulated.set(Setting(flap_s=10.0))
    seen = []
    for now[0] in (101.0, 111.0, 121.0, 131.0):
        simulated.turn()
        seen.append(simulated.published().health.ready)
    assert seen == [True, False, True, False]
