from __future__ import annotations

import sys

from npufleet.rollout import hooks, settings


def ask(command: str) -> str:
    wanted = settings.read({"hooks": {"pre-rollout": command}})
    return hooks.call(hooks.PRE, wanted, {"NPUFLEET_ROLLOUT": "rollout-1"})


def test_a_hook_sees_the_rollout_and_its_exit_code_is_the_answer() -> None:
    python = sys.executable
    assert ask(f"{python} -c \"import os; assert os.environ['NPUFLEET_ROLLOUT'] == 'rollout-1'\"") == ""
    said = ask(f"{python} -c \"import sys; sys.exit('not on a friday')\"")
    assert said == "the hook pre-rollout ended with 1: not on a friday"


def test_hook_that_cannot_be_run_is_a_no() -> None:
    assert "could not be run" in ask("/no/such/program")
    assert hooks.call(hooks.POST, settings.read({}), {}) == ""
