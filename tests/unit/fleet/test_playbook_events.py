from __future__ import annotations

from typing import Any

import pytest

from npufleet.playbook_events import Tracker, explain


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"event": kind, "event_data": data}


def after(*events: dict[str, Any]) -> Tracker:
    tracker = Tracker()
    for one in events:
        tracker.take(one)
    return tracker


TASK = event("playbook_on_task_start", role="docker", task="Install the engine", play="Prepare")


def test_tasks_and_changes_are_counted_by_node() -> None:
    tracker = after(
        TASK,
        event("runner_on_start", host="lab-1", task="Install the engine"),
        event("runner_on_ok", host="lab-1", res={"changed": True}),
        event("runner_on_ok", host="lab-2", res={"changed": False}),
        event("runner_on_skipped", host="lab-2", res={}),
    )
    assert [(node.name, node.done, node.changed, node.stage) for node in tracker.nodes.values()] == [
        ("lab-1", 1, 1, "docker"), ("lab-2", 1, 0, "docker"),
    ]  # fmt: skip


def test_log_has_a_line_for_each_new_stage_and_each_change() -> None:
    tracker = Tracker()
    assert tracker.take(TASK) == "== docker"
    assert tracker.take(TASK) == ""
    assert tracker.take(event("runner_on_ok", host="lab-1", res={"changed": True})) == (
        "   lab-1: changed: Install the engine"
    )


def test_failure_keeps_place_and_cause() -> None:
    node = after(
        TASK, event("runner_on_failed", host="lab-1", role="docker", task="Install the engine", res={"msg": "no space"})
    ).nodes["lab-1"]
    assert (node.state, node.stage, node.task, node.message) == ("failed", "docker", "Install the engine", "no space")


def test_failure_that_the_playbook_ignores_is_none() -> None:
    assert after(TASK, event("runner_on_failed", host="a", ignore_errors=True, res={})).nodes["a"].state == "working"


def test_rescued_node_goes_on() -> None:
    tracker = after(
        TASK,
        event("runner_on_failed", host="a", task="t", res={"msg": "x"}),
        event("runner_on_ok", host="a", res={}),
        event("playbook_on_stats", ok={"a": 1}, rescued={"a": 1}, failures={}),
    )
    assert (tracker.nodes["a"].state, tracker.nodes["a"].message, tracker.finished) == ("done", "", True)


def test_ansibles_own_count_decides_at_the_end() -> None:
    tracker = after(
        TASK,
        event("runner_on_failed", host="a", task="t", res={"msg": "x"}),
        event("runner_on_unreachable", host="b", task="t", res={"msg": "no route"}),
        event("runner_on_ok", host="c", res={}),
        event("playbook_on_stats", ok={"c": 1}, failures={"a": 1}, dark={"b": 1}),
    )
    assert {name: node.state for name, node in tracker.nodes.items()} == {
        "a": "failed", "b": "unreachable", "c": "done",
    }  # fmt: skip


def test_findings_of_preflight_are_kept() -> None:
    finding = {"id": "driver", "state": "failed", "text": {"en": "too old"}}
    tracker = after(TASK, event("runner_on_ok", host="a", res={"ansible_facts": {"preflight_findings": [finding]}}))
    assert tracker.nodes["a"].findings == [finding]


def test_what_ansible_says_outside_of_tasks_is_kept_from_its_first_error() -> None:
    tracker = after(
        {"event": "verbose", "stdout": "Using /x/ansible.cfg"},
        {"event": "verbose", "stdout": "[ERROR]: YAML parsing failed"},
        {"event": "verbose", "stdout": "Origin: /x/site.yml:2"},
    )
    assert tracker.complaints == ["YAML parsing failed", "Origin: /x/site.yml:2"]


@pytest.mark.parametrize(
    "odd", [{}, {"event": "new_in_2030"}, {"event": "runner_on_ok"}, event("runner_on_ok", host="a", res="x")]
)
def test_odd_events_do_no_harm(odd: dict[str, Any]) -> None:
    assert after(odd).finished is False


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"msg": "no space left"}, "no space left"),
        ({"msg": "non-zero return code", "stderr": "a\nls: cannot access"}, "ls: cannot access"),
        ({"results": [{"msg": "x"}, {"failed": True, "msg": "bad item"}], "msg": "One or more"}, "bad item"),
        ({"msg": "boom", "module_stderr": "Traceback\nKeyError: 'x'"}, "boom: KeyError: 'x'"),
        ({"censored": "hidden"}, "its output is kept back because it may hold secrets"),
        ({}, "no reason was given"),
    ],
)  # fmt: skip
def test_explain_finds_the_words_that_help(result: dict[str, Any], told: str) -> None:
    assert explain(result) == told
