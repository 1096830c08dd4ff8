from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from npufleet import playbook
from npufleet.errors import ProjectError, UsageError
from npufleet.playbook_story import End, Order
from npufleet.project import Project
from npufleet.result import Exit, Frame, Result
from unit.fleet.test_playbook_events import TASK, event

ORDER = Order("prepare", "site.yml", Path("inventory/test"))


@dataclass
class Recorded:
    """A run that has happened already; an interrupt may be among its events."""

    events: list[Any]
    ending: End
    cancelled: bool = False
    waits: list[float] = field(default_factory=list)

    def next_event(self, wait_s: float) -> Mapping[str, Any] | None:
        self.waits.append(wait_s)
        one: Any = self.events.pop(0)
        if one is KeyboardInterrupt:
            raise KeyboardInterrupt
        return one  # type: ignore[no-any-return]  # events are mappings

    def end(self) -> End | None:
        return None if self.events else self.ending

    def cancel(self) -> None:
        self.cancelled = True


def play(run: Recorded) -> tuple[list[Frame], Result]:
    steps: Generator[Frame, None, Result] = playbook.follow(ORDER, lambda: run, Path("build/runs/x"))
    frames = []
    while True:
        try:
            frames.append(next(steps))
        except StopIteration as end:
            return frames, end.value


def stats(ok: str = "", failed: str = "", dark: str = "") -> dict[str, Any]:
    return event(
        "playbook_on_stats", ok=dict.fromkeys(ok, 1), failures=dict.fromkeys(failed, 1), dark=dict.fromkeys(dark, 1)
    )


def done(host: str) -> dict[str, Any]:
    return event("runner_on_ok", host=host, res={"changed": True})


def broken(host: str) -> dict[str, Any]:
    return event("runner_on_failed", host=host, role="docker", task="Install", res={"msg": "no space"})


def gone(host: str) -> dict[str, Any]:
    return event("runner_on_unreachable", host=host, task="Install", res={"msg": "timed out"})


def test_good_run_tells_lines_and_ends_fine() -> None:
    frames, result = play(Recorded([TASK, done("a"), done("b"), stats(ok="ab")], End("successful", 0)))
    assert next(frame.line for frame in frames if frame.line) == "== docker"
    assert (result.exit_code, result.errors) == (Exit.FINE, ())
    assert [node["changed"] for node in result.data["nodes"]] == [1, 1]
    assert result.data["record"] == "build/runs/x"


@pytest.mark.parametrize(
    ("events", "code", "exit_code", "codes"),
    [
        ([done("a"), broken("b"), stats(ok="a", failed="b")], 2, Exit.PARTLY, ["task-failed"]),
        ([broken("a"), broken("b"), stats(failed="ab")], 2, Exit.FAILED, ["task-failed", "task-failed"]),
        ([gone("a"), gone("b"), stats(dark="ab")], 4, Exit.UNREACHABLE, ["ssh-unreachable", "ssh-unreachable"]),
        ([done("a"), gone("b"), stats(ok="a", dark="b")], 4, Exit.PARTLY, ["ssh-unreachable"]),
        ([broken("a"), gone("b"), stats(failed="a", dark="b")], 2, Exit.FAILED, ["task-failed", "ssh-unreachable"]),
    ],
)
def test_bad_runs(events: list[Any], code: int, exit_code: Exit, codes: list[str]) -> None:
    _, result = play(Recorded([TASK, *events], End("failed", code)))
    assert (result.exit_code, [failure.code for failure in result.errors]) == (exit_code, codes)


def test_failure_names_node_role_task_and_cause() -> None:
    _, result = play(Recorded([TASK, broken("a"), stats(failed="a")], End("failed", 2)))
    assert (result.errors[0].message, result.errors[0].node) == ("a: docker: Install: no space", "a")


def test_playbook_that_does_not_parse_says_so() -> None:
    said = {"event": "verbose", "stdout": "[ERROR]: YAML parsing failed"}
    _, result = play(Recorded([said], End("failed", 4)))
    assert result.exit_code == Exit.FAILED
    assert result.errors[0].message == "YAML parsing failed"


def test_run_without_a_node_is_no_success() -> None:
    _, result = play(Recorded([stats()], End("successful", 0)))
    assert (result.exit_code, result.errors[0].code) == (Exit.FAILED, "no-nodes")


def test_interrupt_stops_the_playbook_and_tells_how_far_it_came() -> None:
    run = Recorded([TASK, done("a"), KeyboardInterrupt, done("b")], End("successful", 0))
    _, result = play(run)
    assert run.cancelled
    assert (result.exit_code, result.errors[-1].code) == (Exit.FAILED, "interrupted")
    assert [(node["node"], node["state"]) for node in result.data["nodes"]] == [("a", "stopped")]


def test_missing_playbook(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        playbook.start(ORDER, Project(tmp_path))
    assert caught.value.failure.code == "playbook-missing"
    assert not (tmp_path / "build").exists()


def test_a_conclusion_that_fails_is_in_the_record(tmp_path: Path) -> None:
    def conclude(_: object) -> Result:
        raise UsageError("no room for the bundle")

    order = replace(ORDER, conclude=conclude)
    run = Recorded([TASK, done("a"), stats(ok="a")], End("successful", 0))
    with pytest.raises(UsageError):
        list(playbook.follow(order, lambda: run, tmp_path))
    record = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert (record["state"], record["exit_code"], record["errors"]) == ("ended", 2, ["no room for the bundle"])
