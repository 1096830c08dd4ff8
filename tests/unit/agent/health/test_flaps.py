"""A link that comes and goes is not called good in between."""

from __future__ import annotations

from npu_agent import api
from npu_agent.health.flaps import Flaps
from npu_agent.health.rules import Flapping

RULES = {"npu-network": Flapping(times=3, within_s=100, quiet_s=50)}


def component(state: str, name: str = "npu-network/3") -> api.Component:
    return api.Component(name, state, "" if state == api.HEALTHY else "no link", "none", "then")


def told(flaps: Flaps, states: list[tuple[float, str]], name: str = "npu-network/3") -> list[str]:
    return [flaps.hold(component(state, name), at).state for at, state in states]


def test_three_falls_hold_it_until_it_was_quiet() -> None:
    flaps = Flaps(RULES)
    flap = [(10.0, api.DEGRADED), (15.0, api.HEALTHY)]
    story = [(at + 20 * turn, state) for turn in range(3) for at, state in flap]
    assert told(flaps, story) == [api.DEGRADED, api.HEALTHY, api.DEGRADED, api.HEALTHY, api.DEGRADED, api.DEGRADED]
    held = flaps.hold(component(api.HEALTHY), 60.0)
    assert held.reason.startswith("no link; it has come and gone 3 times within")
    assert told(flaps, [(99.0, api.HEALTHY), (101.0, api.HEALTHY)]) == [api.DEGRADED, api.HEALTHY]


def test_what_stays_ill_is_one_fall() -> None:
    flaps = Flaps(RULES)
    story = [(float(at), api.DEGRADED) for at in range(10)]
    assert told(flaps, [*story, (11.0, api.HEALTHY)])[-1] == api.HEALTHY


def test_falls_long_ago_do_not_count() -> None:
    story = [(200.0 * turn + at, state) for turn in range(5) for at, state in ((0.0, api.DEGRADED), (5.0, api.HEALTHY))]
    assert told(Flaps(RULES), story)[1::2] == [api.HEALTHY] * 5


def test_other_components_are_not_held() -> None:
    story = [(float(turn), state) for turn in range(10) for state in (api.UNHEALTHY, api.HEALTHY)]
    assert told(Flaps(RULES), story, "npu/3")[1::2] == [api.HEALTHY] * 10
