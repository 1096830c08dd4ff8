from __future__ import annotations

from pathlib import Path

import pytest

from npufleet import drift
from npufleet.playbook_drift import Difference
from npufleet.playbook_events import DONE, FAILED, STOPPED, UNREACHABLE, NodeRun, Tracker
from npufleet.playbook_story import CANCELED, End, Order, Story
from npufleet.result import Exit

FILE = Difference("docker", "option", "/etc/docker/daemon.json: live-restore")
AMISS = [{"role": "ip_forward", "says": "a: net.ipv4.ip_forward is 0 now. Run `ansible-playbook site.yml`."}]


def in_step(name: str) -> NodeRun:
    return NodeRun(name, DONE)


def drifted(name: str) -> NodeRun:
    return NodeRun(name, DONE, differences=[FILE], amiss=AMISS)


def story(*nodes: NodeRun, status: str = "successful", code: int = 0, limit: str | None = None) -> Story:
    tracker = Tracker({node.name: node for node in nodes}, finished=status != CANCELED)
    order = Order("verify", "playbooks/drift.yml", Path("inventory/test"), limit=limit, check=True)
    return Story(order, tracker, End(status, code), 12.0, Path("build/runs/x"))


@pytest.mark.parametrize(
    ("nodes", "code", "exit_code"),
    [
        ([in_step("a"), in_step("b")], 0, Exit.FINE),
        ([in_step("a"), drifted("b")], 0, Exit.PARTLY),
        ([drifted("a"), drifted("b")], 0, Exit.PARTLY),
        ([drifted("a"), NodeRun("b", UNREACHABLE)], 4, Exit.PARTLY),
        ([in_step("a"), NodeRun("b", FAILED)], 2, Exit.PARTLY),
        ([NodeRun("a", FAILED)], 2, Exit.FAILED),
        ([NodeRun("a", UNREACHABLE)], 4, Exit.UNREACHABLE),
        ([], 0, Exit.FAILED),
    ],
)
def test_exit_codes(nodes: list[NodeRun], code: int, exit_code: Exit) -> None:
    result = drift.conclude(story(*nodes, code=code))
    assert result.exit_code == exit_code
    assert bool(result.errors) is (exit_code != Exit.FINE)


def test_differences_by_role_with_the_proof_in_short() -> None:
    result = drift.conclude(story(in_step("a0"), drifted("a")))
    assert result.data["nodes"][1] == {
        "node": "a",
        "verdict": "drifted",
        "differences": [
            FILE.to_dict(),
            {"role": "ip_forward", "kind": "proof", "what": "net.ipv4.ip_forward is 0 now."},
        ],
        "message": "",
    }
    assert result.data["nodes"][0]["verdict"] == "in-step"
    assert result.errors[0].node == "a"


@pytest.mark.parametrize(
    ("nodes", "limit", "command"),
    [
        ([in_step("a"), drifted("b")], None, "npufleet -i inventory/test prepare --limit b --tags docker,ip_forward"),
        ([drifted("a"), drifted("b")], None, "npufleet -i inventory/test prepare --tags docker,ip_forward"),
        (
            [drifted("a")],
            "rack[1:3]",
            "npufleet -i inventory/test prepare --limit 'rack[1:3]' --tags docker,ip_forward",
        ),
        ([in_step("a")], None, ""),
    ],
)
def test_the_command_that_mends_it(nodes: list[NodeRun], limit: str | None, command: str) -> None:
    assert drift.conclude(story(*nodes, limit=limit)).data["remedy"] == command


def test_a_node_that_cannot_be_compared_says_where_and_why() -> None:
    node = NodeRun("a", FAILED, "agent", "Stop where the agent is not built", message="build it", differences=[FILE])
    told = drift.conclude(story(node, code=2)).data["nodes"][0]
    assert told["message"] == "agent: Stop where the agent is not built: build it"
    assert told["differences"] == [FILE.to_dict()]


def test_a_new_certificate_takes_the_agent_along() -> None:
    node = NodeRun("a", DONE, amiss=[{"role": "certificates", "says": "it ends"}])
    assert drift.conclude(story(node)).data["remedy"].endswith("--tags certificates,agent")


def test_a_run_that_was_stopped_says_of_nobody_that_it_is_in_step() -> None:
    result = drift.conclude(story(NodeRun("a", STOPPED), status=CANCELED, code=1))
    assert (result.exit_code, result.data["nodes"][0]["verdict"]) == (Exit.FAILED, "stopped")
    assert result.errors[0].code == "interrupted"
