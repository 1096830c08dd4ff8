"""Since when, and neither sick nor healthy by one flap."""

from __future__ import annotations

from npu_agent import api
from npu_agent.health import Tracker, Verdict
from npu_agent.health.tracker import Moment


class Story:
    """Tells the tracker one verdict after the other, a second apart."""

    def __init__(self, tracker: Tracker | None = None, name: str = "npu/0") -> None:
        self._tracker = tracker or Tracker()
        self._name = name
        self.second = 0

    def tell(self, state: str, *, counts: bool = True, looks: int = 1) -> api.Component:
        self.second += 1
        verdict = Verdict(self._name, state, "" if state == api.HEALTHY else f"because {state}", looks=looks)
        moment = Moment(f"t{self.second}", f"t{self.second}", float(self.second), counts)
        (component,) = self._tracker.update([verdict], moment)
        return component


def test_since_is_the_change_of_state() -> None:
    story = Story()
    assert [story.tell(state).since for state in (api.UNKNOWN, api.HEALTHY, api.HEALTHY)] == ["t1", "t2", "t2"]
    assert story.tell(api.UNHEALTHY).since == "t4"


def test_a_fault_is_believed_at_once() -> None:
    story = Story()
    story.tell(api.HEALTHY)
    assert story.tell(api.UNHEALTHY).state == api.UNHEALTHY


def test_a_fault_whose_rule_asks_for_more_looks_is_believed_when_they_agree() -> None:
    story = Story()
    story.tell(api.HEALTHY)
    assert story.tell(api.UNHEALTHY, looks=2).state == api.HEALTHY
    assert story.tell(api.UNHEALTHY, looks=2).state == api.UNHEALTHY


def test_one_flap_of_such_a_value_is_no_verdict() -> None:
    story = Story()
    told = [story.tell(state, looks=2).state for state in (api.HEALTHY, api.DEGRADED, api.HEALTHY, api.DEGRADED)]
    assert told == [api.HEALTHY] * 4


def test_looking_at_the_same_bad_value_again_is_no_second_look() -> None:
    story = Story()
    story.tell(api.HEALTHY)
    for _ in range(5):
        assert story.tell(api.DEGRADED, looks=2, counts=False).state == api.HEALTHY


def test_recovery_needs_two_good_looks_in_a_row() -> None:
    story = Story()
    states = [api.UNHEALTHY, api.HEALTHY, api.UNHEALTHY, api.HEALTHY, api.HEALTHY]
    told = [story.tell(state) for state in states]
    assert [component.state for component in told] == [api.UNHEALTHY] * 4 + [api.HEALTHY]
    assert told[1].reason == "because unhealthy; it looks good again, a second good look is awaited"


def test_not_knowing_for_a_while_does_not_forgive() -> None:
    story = Story()
    told = [story.tell(state).state for state in (api.UNHEALTHY, api.UNKNOWN, api.HEALTHY, api.HEALTHY)]
    assert told == [api.UNHEALTHY, api.UNKNOWN, api.UNHEALTHY, api.HEALTHY]


def test_looking_at_the_same_thing_again_is_no_good_look() -> None:
    story = Story()
    story.tell(api.UNHEALTHY)
    for _ in range(5):
        assert story.tell(api.HEALTHY, counts=False).state == api.UNHEALTHY


def test_what_was_unknown_is_healthy_at_the_first_good_look() -> None:
    story = Story()
    story.tell(api.UNKNOWN)
    assert story.tell(api.HEALTHY).state == api.HEALTHY


def test_a_component_that_is_gone_is_forgotten() -> None:
    tracker = Tracker()
    tracker.update([Verdict("npu/9", api.UNHEALTHY)], Moment("t1"))
    assert tracker.update([], Moment("t2")) == ()
    (back,) = tracker.update([Verdict("npu/9", api.HEALTHY)], Moment("t3"))
    assert back.state == api.HEALTHY


def test_a_restart_keeps_since_and_the_second_look() -> None:
    before = api.Component("npu/0", api.UNHEALTHY, "because unhealthy", "reset-npu", "long ago")
    story = Story(Tracker(remembered={"npu/0": before}))
    assert story.tell(api.UNKNOWN, counts=False).state == api.UNKNOWN
    assert story.tell(api.UNHEALTHY).since == "long ago"
    story = Story(Tracker(remembered={"npu/0": before}))
    story.tell(api.UNKNOWN, counts=False)
    assert story.tell(api.HEALTHY).state == api.UNHEALTHY
    assert story.tell(api.HEALTHY).state == api.HEALTHY


def test_what_is_remembered_counts_for_the_first_look_only() -> None:
    before = api.Component("npu/0", api.UNHEALTHY, "x", "none", "long ago")
    story = Story(Tracker(remembered={"npu/0": before}))
    for state in (api.HEALTHY, api.HEALTHY):
        story.tell(state)
    assert story.tell(api.UNHEALTHY).since == "t3"
