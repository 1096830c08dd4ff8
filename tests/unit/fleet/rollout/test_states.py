from __future__ import annotations

import pytest

from npufleet.rollout import states


@pytest.mark.parametrize("table", [states.ROLLOUT, states.NODE])
def test_every_state_that_may_follow_is_known_and_can_be_left(table: dict[str, frozenset[str]]) -> None:
    assert {state for follow in table.values() for state in follow} | {states.PENDING} == set(table)
    assert all(table.values())


def test_the_words_are_those_of_the_reference() -> None:
    assert set(states.ROLLOUT) == {"pending", "running", "paused", "blocked", "successful", "failed", "cancelled"}
    assert set(states.NODE) == {
        "pending", "draining", "updating", "verifying", "healthy", "failed", "unreachable", "skipped", "reverted",
    }  # fmt: skip


def test_nothing_becomes_healthy_but_through_the_gate() -> None:
    assert [state for state, follow in states.NODE.items() if states.HEALTHY in follow] == [states.VERIFYING]
