from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from npu_agent import store
from npu_agent.engine import Container
from npu_agent.show import exit_reason, show
from npu_agent.store import Record


def record(phase: str, **more: Any) -> Record:
    return Record("job", phase, "s", {"name": "job"}, {}, {}, [1], **more)


def container(state: str, **more: Any) -> Container:
    return Container("id", "npufleet-job", state, **more)


@pytest.mark.parametrize(
    ("phase", "found", "known", "state"),
    [
        (store.RESERVED, None, True, "pending"),
        (store.CREATED, container("created"), True, "pending"),
        (store.STARTED, container("running"), True, "running"),
        (store.STARTED, container("restarting"), True, "running"),
        (store.STARTED, container("paused"), True, "running"),
        (store.STARTED, container("exited", exit_code=1), True, "exited"),
        (store.STARTED, None, True, "failed"),
        (store.STARTED, None, False, "pending"),
        (store.FINISHED, None, True, "exited"),
        (store.FAILED, None, True, "failed"),
        (store.REMOVING, container("running"), True, "running"),
        (store.REMOVING, None, True, "pending"),
    ],
)
def test_states(phase: str, found: Container | None, known: bool, state: str) -> None:
    assert show(record(phase), found, known=known).state == state


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (container("exited", exit_code=0), "it ended"),
        (container("exited", exit_code=3), "exit code 3"),
        (container("exited", exit_code=137), "killed"),
        (container("exited", exit_code=137, oom_killed=True), "more memory"),
        (container("exited", exit_code=127, error="no such file"), "no such file"),
    ],
)
def test_the_reason_of_an_end(found: Container, words: str) -> None:
    assert words in exit_reason(found)


def test_a_running_container_has_not_finished_whatever_its_last_run_left() -> None:
    found = show(record(store.STARTED), container("running", finished_at="2026-01-01T00:00:00Z"))
    assert found.finished_at is None


def test_an_end_that_a_restart_follows_is_not_told_as_the_end() -> None:
    again = dataclasses.replace(record(store.STARTED), restart={"policy": "on-failure"})
    found = show(again, container("exited", exit_code=1))
    assert (found.state, "it ended with exit code 1" in found.reason) == ("pending", True)
    assert show(again, container("exited", exit_code=0)).state == "exited"
