"""Since when, and how a component becomes healthy again."""

from __future__ import annotations

from npu_agent import api
from npu_agent.health import Tracker, Verdict


class Story:
    """Tells the tracker one verdict after the other, a second apart."""

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._second = 0

    def tell(self, state: str, *, counts: bool = True) -> api.Component:
        self._second += 1
        verdict = Verdict("npu/0", state, "" if state == api.HEALTHY else f"because {state}")
        moment = f"t{self._second}"
        (component,) = self._tracker.update([verdict], now=moment, observed_at=moment, counts=counts)
        return component


def test_since_is_the_change_of_state() -> None:
    story = Story()
    assert [story.tell(state).since for state in (api.UNKNOWN, api.HEALTHY, api.HEALTHY)] == ["t1", "t2", "t2"]
    assert story.tell(api.UNHEALTHY).since == "t4"


def test_a_fault_is_believed_at_once() -> None:
    story = Story()
    story.tell(api.HEALTHY)
    assert story.tell(api.UNHEALTHY).state == api.UNHEALTHY


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
    tracker.update([Verdict("npu/9", api.UNHEALTHY)], now="t1", observed_at=None)
    assert tracker.update([], now="t2", observed_at=None) == ()
    (back,) = tracker.update([Verdict("npu/9", api.HEALTHY)], now="t3", observed_at=None)
    assert back.state == api.HEALTHY
