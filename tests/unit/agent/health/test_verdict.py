"""What several verdicts say together."""

from __future__ import annotations

import pytest

from npu_agent import api
from npu_agent.health import Verdict, gravest, overall


def test_the_gravest_state_wins_with_its_most_drastic_action() -> None:
    found = gravest(
        [
            Verdict("npu/0", api.DEGRADED, "warm", "replace-hardware"),
            Verdict("npu/0", api.UNHEALTHY, "broken", "reset-npu"),
            Verdict("npu/0", api.UNHEALTHY, "hit", "restart-workload"),
        ]
    )
    assert found == Verdict("npu/0", api.UNHEALTHY, "broken; hit", "reset-npu")


@pytest.mark.parametrize(
    ("state", "ready"),
    [(api.HEALTHY, True), (api.DEGRADED, True), (api.UNKNOWN, False), (api.UNHEALTHY, False)],
)
def test_unknown_is_never_ready(state: str, ready: bool) -> None:
    found = overall([api.Component("npu/0", api.HEALTHY), api.Component("npu/1", state, "why")])
    assert (found.ready, found.state) == (ready, state)
    assert found.reasons == (() if ready else (f"npu/1: {state}: why",))


def test_a_failed_workload_leaves_the_node_ready() -> None:
    assert overall([api.Component("npu/0", api.HEALTHY), api.Component("workload/a", api.UNHEALTHY, "exit 1")]).ready


def test_nothing_judged_is_not_healthy() -> None:
    assert overall([], complete=False) == overall([api.Component("npu/0", api.HEALTHY)], complete=False)
    assert overall([], complete=False).state == api.UNKNOWN
    assert overall([], complete=False).reasons == ("no complete probe yet",)


def test_a_port_that_nobody_asked_lately_takes_no_node_out_and_one_without_a_link_does() -> None:
    found = overall([api.Component("npu/0", api.HEALTHY), api.Component("npu-network/0", api.UNKNOWN, "not asked")])
    assert (found.ready, found.state, found.reasons) == (True, api.UNKNOWN, ())
    assert not overall([api.Component("npu-network/0", api.UNHEALTHY, "no link")]).ready
