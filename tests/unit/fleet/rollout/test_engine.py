"""Rollouts over agents in memory: what stops them, what they leave behind, and what a killed program costs."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from npufleet.rollout.apply import Outcome
from npufleet.rollout.revision import BASELINE, Revision
from unit.fleet.rollout.fakes import NEW, OPERATOR, World, play

FOUR = ("n1", "n2", "n3", "n4")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path).add(*FOUR)


def reached(world: World) -> dict[str, str]:
    return {name: node.revision for name, node in world.nodes.items()}


def cordoned(world: World) -> dict[str, list[str]]:
    return {name: sorted(node.cordons) for name, node in world.nodes.items() if node.cordons}


def test_good_rollout_goes_batch_by_batch_and_becomes_stable(world: World) -> None:
    end = world.begin(max_parallel=2)
    assert (end["state"], end["stable"]) == ("successful", NEW.digest)
    assert [names for _, names, _ in world.runs] == [["n1"], ["n2", "n3"], ["n4"]]
    assert set(reached(world).values()) == {"new"}
    assert cordoned(world) == {}


def test_node_waits_for_its_work_and_for_min_healthy_time(world: World) -> None:
    world.nodes["n1"].work_until = world.time.now + 100
    begun: list[float] = []
    world.before_run = lambda _names: begun.append(world.time.now)
    world.begin()
    assert begun[0] >= 1100
    assert min(after - before for before, after in pairwise(begun)) >= 10


def test_canary_waits_for_promotion(world: World) -> None:
    end = world.begin(auto_promote=False)
    assert (end["state"], world.runs) == ("paused", [("site.yml", ["n1"], "new")])
    assert "promote" in end["reason"]
    assert play(world.program().promote(None))["state"] == "successful"


def test_node_that_turns_unhealthy_stops_it_and_keeps_its_cordon(world: World) -> None:
    world.nodes["n2"].sick_on = "new"
    end = world.begin()
    assert end["state"] == "paused"
    assert "n2: not healthy within 60 s: npu/3: unhealthy" in end["reason"]
    assert world.states() == {"n1": "healthy", "n2": "failed", "n3": "pending", "n4": "pending"}
    assert list(cordoned(world)) == ["n2"]


def test_auto_revert_takes_back_what_was_changed_and_nothing_else(world: World) -> None:
    world.nodes["n3"].sick_on = "new"
    end = world.begin(auto_revert=True)
    assert (end["state"], end["stable"]) == ("failed", BASELINE.digest)
    assert "failed on n3: not healthy" in end["reason"]
    assert "reverted n3, n1, n2" in end["reason"]
    assert world.states() == {"n1": "reverted", "n2": "reverted", "n3": "reverted", "n4": "skipped"}
    assert [run[1:] for run in world.runs[3:]] == [(["n3"], "inventory"), (["n1"], "inventory"), (["n2"], "inventory")]
    assert set(reached(world).values()) == {"inventory"}
    assert cordoned(world) == {}


def test_way_back_is_proven_on_the_failed_node_alone(world: World) -> None:
    world.nodes["n2"].sick_on = "new"
    world.begin(auto_revert=True, max_parallel=4)
    assert [names for _, names, _ in world.runs] == [["n1"], ["n2", "n3", "n4"], ["n2"], ["n1", "n3", "n4"]]


def test_node_that_failed_before_it_was_changed_does_not_stand_in_the_way_back(world: World) -> None:
    world.begin()
    world.nodes["n2"].sick_on = "newer"
    world.nodes["n3"].silent = True
    end = world.begin(replace(NEW, name="newer"), auto_revert=True, max_parallel=3, circuit_breaker={"percent": 90})
    assert end["state"] == "failed"
    assert "reverted n2, n1, n4" in end["reason"]
    assert world.states() == {"n1": "reverted", "n2": "reverted", "n3": "unreachable", "n4": "reverted"}
    assert set(reached(world).values()) == {"new"}
    assert cordoned(world) == {}


def test_without_a_stable_revision_nothing_is_reverted(world: World) -> None:
    world.nodes["n4"].sick_on = "inventory"
    world.nodes["n1"].sick_on = "new"
    end = world.begin(auto_revert=True, max_unavailable=2)
    assert (end["state"], len(world.runs)) == ("failed", 1)
    assert "no stable revision" in end["reason"]


def test_rollback_that_fails_says_so_and_can_be_retried(world: World) -> None:
    world.nodes["n2"].sick_on = "new"
    world.fails["n2", "inventory"] = Outcome("failed", "docker: Install: no space")
    end = world.begin(auto_revert=True)
    assert (end["state"], end["reason"]) == ("failed", "the rollback failed on n2: docker: Install: no space")
    assert reached(world)["n1"] == "new", "a healthy node stays until the way back is proven"
    world.fails.clear()
    end = play(world.program().retry(None))
    assert end["state"] == "failed"
    assert set(reached(world).values()) == {"inventory"}
    assert cordoned(world) == {}


def test_unreachable_counts_as_failed_and_can_be_skipped(world: World) -> None:
    world.nodes["n2"].silent = True
    assert world.begin(max_unavailable=2)["state"] == "paused"
    assert world.states()["n2"] == "unreachable"
    world.program().abort(None)
    end = world.begin(unreachable="skip", max_unavailable=2)
    assert world.states() == {"n1": "healthy", "n2": "skipped", "n3": "healthy", "n4": "healthy"}
    assert "not on n2" in end["reason"]
    assert end["stable"] is None


def test_node_that_ansible_cannot_reach_stops_it(world: World) -> None:
    world.fails["n2", "new"] = Outcome("unreachable", "timed out")
    assert (world.begin()["state"], world.states()["n2"]) == ("paused", "unreachable")


def test_half_the_nodes_unreachable_in_the_middle_opens_the_breaker(world: World) -> None:
    def cut(names: Sequence[str]) -> None:
        for name in ("n2", "n3") if "n2" in names else ():
            world.nodes[name].silent = True

    world.before_run = cut
    end = world.begin(max_parallel=3, auto_revert=True)
    assert end["state"] == "blocked"
    assert "circuit breaker is open: 2 of 4 nodes failed" in end["reason"]
    assert world.states() == {"n1": "healthy", "n2": "unreachable", "n3": "unreachable", "n4": "healthy"}
    world.before_run = lambda _names: None
    world.nodes["n2"].silent = world.nodes["n3"].silent = False
    assert play(world.program().retry(None))["state"] == "successful"
    assert cordoned(world) == {}


def test_unknown_never_passes_and_is_no_reason_to_turn_back(world: World) -> None:
    world.nodes["n1"].unknown_on = "new"
    end = world.begin(auto_revert=True)
    assert end["state"] == "paused"
    assert end["reason"].startswith("inconclusive: n1")
    with pytest.raises(Exception, match="not to be promoted"):
        play(world.program().promote(None))


def test_agents_that_never_look_again_are_not_believed(world: World) -> None:
    world.nodes["n1"].observe = lambda: "2020-01-01T00:00:00Z"
    assert "healthy too briefly" in world.begin()["reason"]


def test_agents_clock_decides_nothing(world: World) -> None:
    """Years ahead and running backwards: an observation counts by being another one."""
    for node in world.nodes.values():
        node.observe = lambda: f"2099-01-01T00:00:{59 - int(world.time.now) % 60:02d}Z"
    assert world.begin()["state"] == "successful"


def expired() -> Exception:
    error = ssl.SSLCertVerificationError("certificate has expired")
    error.verify_code = 10
    return requests.exceptions.SSLError(error)


def test_certificate_that_expires_on_the_way_fails_the_node(world: World) -> None:
    world.before_run = lambda names: setattr(world.nodes[names[0]], "error", expired())
    end = world.begin()
    assert end["state"] == "paused"
    assert "its certificate has expired" in end["reason"]


def test_agent_that_is_too_old_to_drain_is_told_and_left_alone(world: World) -> None:
    world.nodes["n1"].too_old = True
    end = world.begin()
    assert "too old to drain" in end["reason"]
    assert world.runs == []


@pytest.mark.parametrize("version", ["0.0.9", "9.0.0"])
def test_agent_must_have_the_version_of_the_revision(world: World, version: str) -> None:
    world.nodes["n1"].version = version
    end = world.begin(Revision("new", agent_version="0.1.0"))
    assert f"its agent is {version}, not 0.1.0" in end["reason"]


def test_operators_own_cordon_is_respected(world: World) -> None:
    world.nodes["n2"].cordons[OPERATOR] = "broken fan"
    assert world.begin(max_unavailable=2)["state"] == "successful"
    assert cordoned(world) == {"n2": [OPERATOR]}


def test_node_that_is_installed_anew_under_way_is_noticed(world: World) -> None:
    def install_anew(names: Sequence[str]) -> None:
        world.nodes[names[0]].cordons.clear()

    world.before_run = install_anew
    assert "installed anew" in world.begin()["reason"]


def test_node_that_was_booted_after_its_turn_is_brought_in_step_again(world: World) -> None:
    def reboot_first(names: Sequence[str]) -> None:
        if names == ["n4"]:
            world.nodes["n1"].boot_id = "boot-2"
            world.nodes["n1"].revision = "inventory"

    world.before_run = reboot_first
    assert world.begin()["state"] == "successful"
    assert [names for _, names, _ in world.runs][-1] == ["n1"]
    assert set(reached(world).values()) == {"new"}


def test_node_that_fell_sick_after_its_turn_keeps_the_revision_from_being_stable(world: World) -> None:
    world.before_run = lambda names: setattr(world.nodes["n1"], "sick_on", "new" if names == ["n4"] else "")
    end = world.begin()
    assert (end["state"], end["stable"]) == ("paused", None)
    assert world.states()["n1"] == "failed"


def test_drain_that_does_not_end_fails_the_node_and_gives_it_back(world: World) -> None:
    world.nodes["n2"].work_until = 1e9
    end = world.begin(drain={"deadline": "30s", "grace": "10s"})
    assert "n2: drain: still waiting for workload job-7" in end["reason"]
    assert cordoned(world) == {}
    assert [names for _, names, _ in world.runs] == [["n1"]]


def test_never_more_than_max_unavailable_out(world: World) -> None:
    world.nodes["n4"].sick_on = "inventory"
    end = world.begin(max_unavailable=1)
    assert (end["state"], world.runs) == ("blocked", [])
    assert "n4 out" in end["reason"]
    end = world.resume(max_unavailable=2)
    assert (end["state"], reached(world)["n4"]) == ("successful", "new")


def test_operator_may_go_on_without_a_failed_node(world: World) -> None:
    world.nodes["n2"].sick_on = "new"
    world.begin()
    end = world.resume(max_unavailable=2)
    assert (end["state"], end["stable"]) == ("successful", None)
    assert end["reason"] == "healthy on 3 nodes, not on n2; not taken as stable"


def test_hooks_are_asked_in_their_order_and_may_say_no(world: World) -> None:
    world.hooks["pre-rollout"] = "the hook pre-rollout ended with 1"
    assert world.begin()["state"] == "paused"
    assert world.runs == []
    world.hooks.clear()
    assert world.resume()["state"] == "successful"
    assert world.called[:4] == ["confirm-rollout", "pre-rollout", "confirm-rollout", "pre-rollout"]
    assert world.called[4:] == ["rollout", "confirm-promotion", "rollout", "rollout", "rollout", "post-rollout"]


def test_interrupt_pauses_where_it_is_and_resume_goes_on(world: World) -> None:
    def interrupt(_names: Sequence[str]) -> None:
        world.before_run = lambda _names: None
        raise KeyboardInterrupt

    world.before_run = interrupt
    assert world.begin()["reason"] == "interrupted by the operator"
    assert world.states()["n1"] == "updating"
    assert world.resume()["state"] == "successful"


SCENES: dict[str, tuple[Callable[[World], None], dict[str, Any]]] = {
    "good": (lambda _world: None, {}),
    "reverts": (lambda world: setattr(world.nodes["n2"], "sick_on", "new"), {"auto_revert": True}),
    "stops": (lambda world: world.fails.update({("n2", "new"): Outcome("failed", "no space")}), {"max_parallel": 3}),
    "drain-fails": (lambda world: setattr(world.nodes["n2"], "work_until", 1e9), {"drain.deadline": 20}),
}


def scene(folder: Path, name: str) -> tuple[World, dict[str, Any]]:
    prepare, settings = SCENES[name]
    world = World(folder).add(*FOUR[:2])
    prepare(world)
    return world, {**settings, "drain.grace": 5}


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_moment_it_ends_as_if_undisturbed(tmp_path: Path, name: str) -> None:
    """After every write and after every change of a node or playbook: the resumed rollout has the same end."""
    world, settings = scene(tmp_path / "whole", name)
    world.fuse = 10_000
    undisturbed, nodes = world.begin(**settings), reached(world)
    moments = 10_000 - world.fuse
    assert moments > 20
    for moment in range(1, moments + 1):
        world, settings = scene(tmp_path / str(moment), name)
        ended: dict[str, Any] = {}
        with world.dying_at(moment):
            ended = world.begin(**settings)
        if ended or not rollouts(world):
            continue
        state = world.program().record.rollout().state
        if state in {"running", "pending"}:
            ended = world.resume()
            assert ended == undisturbed, f"killed at moment {moment}"
        assert reached(world) == nodes, f"killed at moment {moment}"


def rollouts(world: World) -> bool:
    return bool(world.program().record.rollouts())
