"""The agent may die at any moment."""

from __future__ import annotations

from chaos.agent.acts import kill_agent, run_of
from support.chaos import Trial
from support.load import Load
from support.workloads import answers


def test_kills_of_the_agent_under_a_load_of_starts_and_stops_break_nothing(trial: Trial) -> None:
    """After each of 12 kills (200 in the full run), the next agent answers within 20 s and nothing is broken.

    The kills come at random points while clients start and stop workloads, every third one again while the next agent
    starts. Within a cycle of the last one agent and Docker agree about every container, every workload can be stopped
    within 40 s, and a container that nobody asked to change was never touched.
    """
    node, chance = trial.node, trial.random
    trial.start("steady", npus=[7])
    before = run_of(node, "steady")
    end = trial.figures.faults["agent killed"] + trial.profile.kills
    with Load(node, trial.ledger, chance):
        while trial.figures.faults["agent killed"] < end:
            again = chance.uniform(0, 0.8) if chance.random() < 1 / 3 else None
            kill_agent(trial, after_s=chance.uniform(0, 1.5), again_after_s=again)
            if chance.random() < 0.5:
                trial.check()  # also while nobody answers
            trial.reached("the next agent answers", 20, lambda: answers(node))
            trial.check()
    trial.settle()
    assert run_of(node, "steady") == before
    trial.clear()
