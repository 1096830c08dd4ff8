from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import requests

from npufleet.errors import JobError
from npufleet.job import watch
from npufleet.job.layout import NONE, RESTART_ELSEWHERE, STOP_ALL, Layout
from npufleet.job.steps import Run
from npufleet.result import Exit, Frame, Result
from npufleet.testing import Reply
from unit.fleet.job.sim import SPEC, Site


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "POLL_S", 0.0)


def steps(site: Site, layout: Layout) -> Generator[Frame, None, Result]:
    return Run(site.fleet(), SPEC, layout, wait=True).steps()


def until(words: str, frames: Generator[Frame, None, Result]) -> None:
    for frame in frames:
        if words in frame.line:
            return
    raise AssertionError(words)


def end(frames: Generator[Frame, None, Result]) -> Result:
    while True:
        try:
            next(frames)
        except StopIteration as stopped:
            result: Result = stopped.value
            return result


def test_all_ranks_that_end_well_are_a_job_that_ended_well() -> None:
    site = Site.of(2)
    frames = steps(site, Layout(2))
    until("rank 1 on n2: running", frames)
    for agent in site.agents.values():
        agent.end(0)
    result = end(frames)
    assert (result.exit_code, result.errors) == (Exit.FINE, ())


def test_one_failed_rank_stops_all_and_its_last_words_are_kept() -> None:
    site = Site.of(2)
    frames = steps(site, Layout(2, on_failure=STOP_ALL))
    until("running", frames)
    site.agents["n2"].end(7)
    site.agents["n2"].fault = lambda call: Reply(body=b"out of memory\n") if call.endswith("/logs") else None
    result = end(frames)
    assert result.exit_code == Exit.FAILED
    assert "exit code 7" in result.errors[0].message
    assert result.data["last_words"] == {"n2": "out of memory\n"}
    assert all(agent.empty for agent in site.agents.values())


def test_on_failure_none_lets_the_others_end() -> None:
    site = Site.of(2)
    frames = steps(site, Layout(2, on_failure=NONE))
    until("running", frames)
    site.agents["n2"].end(7)
    until("exit code 7", frames)
    site.agents["n1"].end(0)
    result = end(frames)
    assert result.exit_code == Exit.FAILED
    assert all(agent.workloads for agent in site.agents.values())


def test_a_silent_node_is_waited_for_and_then_the_job_goes_on_elsewhere() -> None:
    site = Site.of(3)
    frames = steps(site, Layout(2, on_failure=RESTART_ELSEWHERE, unreachable_after_s=5))
    until("running", frames)
    site.agents["n2"].fault = lambda _call: Reply(error=requests.ConnectTimeout())
    until("silent now", frames)
    assert site.agents["n3"].empty
    _age_silence(frames, 6.0)
    until("rank 1 on n3: running", frames)
    assert site.agents["n1"].workloads
    for name in ("n1", "n3"):
        site.agents[name].end(0)
    result = end(frames)
    assert (result.exit_code, result.data["restarts"]) == (Exit.FINE, 1)
    assert any("n2" in message.text and "restarted elsewhere" in message.text for message in result.messages)


def _age_silence(frames: Any, seconds: float) -> None:
    """Move back when the silence began: the watcher's clock is the process's own."""
    inner = frames.gi_yieldfrom.gi_yieldfrom.gi_frame.f_locals["words"].gi_frame.f_locals["self"]
    inner.silent_since = {node: since - seconds for node, since in inner.silent_since.items()}


def test_an_interrupt_leaves_the_job_running_and_says_so() -> None:
    site = Site.of(2)
    frames = steps(site, Layout(2))
    until("running", frames)
    with pytest.raises(StopIteration) as stopped:
        frames.throw(KeyboardInterrupt())
    result: Result = stopped.value.value
    assert "goes on" in result.errors[0].message
    assert all(agent.workloads for agent in site.agents.values())


def test_no_node_left_to_restart_on_ends_with_everything_stopped() -> None:
    site = Site.of(2)
    frames = steps(site, Layout(2, on_failure=RESTART_ELSEWHERE))
    until("running", frames)
    site.agents["n1"].end(1)
    with pytest.raises(JobError, match="wants 2 nodes; only n2"):
        end(frames)
    assert all(agent.empty for agent in site.agents.values())
