from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from npu_agent import restarts, store
from npu_agent.store import Record
from unit.agent.bench import FakeClock


def record(asked: Any, **more: Any) -> Record:
    made = Record("job", store.STARTED, "s", {}, {}, {}, [0], restart=restarts.settings(asked))
    return dataclasses.replace(made, **more)


def test_words_become_the_whole_policy() -> None:
    assert restarts.settings("no") == {"policy": "no"}
    assert restarts.settings("on-failure")["budget"] == 5
    assert restarts.settings("always")["budget"] is None
    assert restarts.settings({"policy": "always", "budget": 2, "backoff_s": 1}) == {
        "policy": "always", "budget": 2, "backoff_s": 1, "backoff_max_s": 300, "reset_after_s": 600,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "code", "again"),
    [("no", 1, False), ("on-failure", 0, False), ("on-failure", 3, True), ("on-failure", None, True),
     ("always", 0, True), ("always", 1, True)],
)  # fmt: skip
def test_the_policy_looks_at_the_exit_code(asked: str, code: int | None, again: bool) -> None:  # a table
    assert (restarts.after_end(record(asked), code, FakeClock()) is not None) is again


def test_the_backoff_doubles_up_to_its_limit() -> None:
    policy = restarts.settings({"policy": "always", "backoff_s": 10, "backoff_max_s": 60})
    assert [restarts.backoff_s(policy, count) for count in (0, 1, 2, 3, 10_000)] == [10, 20, 40, 60, 60]


def test_the_budget_ends_it() -> None:
    clock, found = FakeClock(), record({"policy": "always", "budget": 2})
    for _ in range(2):
        again = restarts.after_end(found, 1, clock)
        assert again is not None
        found = again
    assert restarts.after_end(found, 1, clock) is None


def test_a_long_run_makes_the_count_zero_again() -> None:
    clock = FakeClock()
    ran = {"boot_id": clock.boot_id, "at_s": clock.at_s}
    found = record({"policy": "always", "budget": 2}, restarts=2, run_since=ran)
    clock.at_s += 599
    assert restarts.after_end(found, 1, clock) is None
    clock.at_s += 1
    again = restarts.after_end(found, 1, clock)
    assert again is not None
    assert (again.restarts, restarts.left_s(again, clock)) == (1, 10)


def test_after_a_reboot_a_restart_is_due_at_once() -> None:
    clock = FakeClock()
    again = restarts.after_end(record("always"), 1, clock)
    assert again is not None
    assert restarts.left_s(again, FakeClock("boot-2", 3.0)) == 0
    assert restarts.left_s(record("always"), clock) is None
