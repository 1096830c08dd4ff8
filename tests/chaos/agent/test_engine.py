"""The engine may die, come back, and be without what it had."""

from __future__ import annotations

import pytest

from chaos.agent.acts import KILL, engine_is_back, in_state, kill_agent_now, leased, run_of
from support.chaos import Trial
from support.load import Load


def test_dockerd_killed_and_restarted_under_load_loses_nothing(trial: Trial) -> None:
    """After each of 2 ends of dockerd (40 in the full run), the node is ready within 60 s and nothing is broken.

    It is killed and restarted in turn while clients start and stop workloads. Within a cycle of the last time agent and
    Docker agree, and a container that nobody asked to change is the same process as before.
    """
    node = trial.node
    trial.start("steady", npus=[7])
    before = run_of(node, "steady")
    with Load(node, trial.ledger, trial.random):
        for number in range(trial.profile.kills // 5):
            fault, command = [
                ("dockerd killed", f"{KILL} docker"), ("dockerd restarted", "systemctl restart docker"),
            ][number % 2]  # fmt: skip
            node.run(f"sleep {trial.random.uniform(0, 2):.3f}; {command}", timeout_s=120)
            trial.caused(fault)
            trial.check()
            trial.reached("the node is ready after the engine's end", 60, lambda: engine_is_back(node))
            trial.check()
    trial.settle()
    assert run_of(node, "steady") == before
    trial.clear()


@pytest.mark.parametrize("agent", ["alive", "dead"])
def test_a_container_wiped_behind_the_agents_back_is_told_within_a_cycle(trial: Trial, agent: str) -> None:
    """A workload whose container somebody removed is told failed within a cycle, with the reason and its NPU free.

    An agent that was killed at the same time has 20 s. The same spec may be put again at once.
    """
    node = trial.node
    trial.start("wiped", npus=[3])
    trial.start("beside", npus=[4])
    if agent == "dead":
        node.run(f"{KILL} npu-agent; docker rm -f npufleet-wiped")
        trial.caused("agent killed")
    else:
        node.run("docker rm -f npufleet-wiped")
    trial.ledger.harmed("wiped")
    trial.caused("container wiped")
    deadline = trial.profile.interval_s + (3 if agent == "alive" else 20)
    what = f"a wiped container is told and its NPU free (agent {agent})"
    trial.reached(what, deadline, lambda: in_state(node, "wiped", "failed") and leased(node) == [4])
    assert "removed without the agent" in node.get("/v1/workloads/wiped")["reason"]
    trial.settle()
    trial.start("wiped", npus=[3])
    trial.settle()
    trial.clear()


def test_an_agent_killed_while_the_engine_is_away_loses_nothing(trial: Trial) -> None:
    """Killed without an engine, the agent is back within 20 s, has every lease, and refuses new work by name.

    A removal that was asked for meanwhile is done within a cycle after the engine is back.
    """
    node = trial.node
    trial.start("kept", npus=[0, 1])
    trial.start("unwanted", npus=[2])
    before = run_of(node, "kept")
    node.run("systemctl stop docker.socket docker")
    trial.caused("dockerd stopped")
    try:
        assert trial.stop("unwanted") is False
        kill_agent_now(trial)
        refused = trial.ledger.put(node, "late", image="none", npus=[0], command=["true"])
        assert refused is not None
        assert (refused.status_code, refused.json()["code"]) == (503, "docker-unreachable")
        assert leased(node) == [0, 1, 2]
        trial.check()
    finally:
        node.run("systemctl start docker", timeout_s=120)
    trial.reached("the node is ready after the engine's end", 60, lambda: engine_is_back(node))
    trial.reached(
        "a removal that waited for Docker is done", trial.profile.interval_s + 5, lambda: leased(node) == [0, 1]
    )
    trial.settle()
    assert run_of(node, "kept") == before
    trial.clear()
