from __future__ import annotations

import json

import pytest

from npu_agent import api
from npufleet import agent_cordon
from npufleet.agent_errors import RefusedError
from npufleet.testing import Handler, MemoryAgent, Reply
from unit.fleet.samples import make_fleet, problem


def asked(reply: Reply | Handler, path: str) -> MemoryAgent:
    return MemoryAgent({f"{method} {path}": reply for method in ("GET", "PUT", "DELETE")})


def test_drain_names_its_owner_and_deadline() -> None:
    agent = asked(Reply(api.Drain("draining", "rollout-1").to_dict()), "/v1/drain")
    client = make_fleet({"lab-1": agent}).client("lab-1")
    assert agent_cordon.drain(client, "rollout-1", "new", "AllowCompletion", 60).state == "draining"
    assert json.loads(agent.asked[0].body or "") == {
        "owner": "rollout-1", "reason": "new", "mode": "AllowCompletion", "deadline_s": 60,
    }  # fmt: skip
    assert agent_cordon.drained(client).owner == "rollout-1"


def test_cordon_of_another_is_left_alone_in_silence_and_other_refusals_are_told() -> None:
    others = asked(problem(409, api.CODE_CORDON_OWNER, "The cordon of the node is alice's."), "/v1/cordon")
    agent_cordon.lift(make_fleet({"lab-1": others}).client("lab-1"), "rollout-1")
    assert others.asked[0].path_url == "/v1/cordon?owner=rollout-1"
    broken = asked(problem(503, api.CODE_STATE_WRITE, "The disk is full."), "/v1/cordon")
    with pytest.raises(RefusedError, match="disk is full"):
        agent_cordon.lift(make_fleet({"lab-1": broken}).client("lab-1"), "rollout-1")
