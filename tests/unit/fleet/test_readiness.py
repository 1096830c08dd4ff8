from __future__ import annotations

import pytest

from npu_agent import api
from npu_agent.health import overall
from npufleet import readiness

PORT = api.Component("npu-network/3", api.UNKNOWN, "not asked yet")
DRIVER = api.Component("driver", api.UNKNOWN, "no version.info")
FINE = api.Component("npu/0", api.HEALTHY)
LOST = api.Component("workload/a", api.UNKNOWN, "the engine is silent")


@pytest.mark.parametrize(
    ("parts", "knows"),
    [([FINE], True), ([FINE, PORT], True), ([FINE, LOST], True), ([FINE, DRIVER], False), ([PORT, DRIVER], False)],
)
def test_the_agent_and_the_fleet_agree_on_what_must_be_known(parts: list[api.Component], knows: bool) -> None:
    found = overall(parts)
    report = api.HealthReport("n1", found.ready, found.state, list(found.reasons), parts)
    assert (found.ready, readiness.knows_itself(report)) == (knows, knows)


@pytest.mark.parametrize("state", [api.UNKNOWN, "splendid"])
def test_a_state_that_no_part_explains_is_not_believed(state: str) -> None:
    assert not readiness.knows_itself(api.HealthReport("n1", True, state, [], [FINE]))
