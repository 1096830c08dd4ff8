from __future__ import annotations

import re

import pytest
import requests

from npufleet import survey, top
from npufleet.top import Screenful
from npufleet.views.top import Page
from unit.fleet.samples import make_facts, make_fleet, sick_facts
from unit.fleet.terminals import draw


def seen(nodes: int = 60) -> top.Seen:
    answers = {f"n-{n}": make_facts(f"n-{n}") for n in range(3, nodes)}
    statuses = survey.take(make_fleet({**answers, "n-1": sick_facts("n-1"), "n-2": requests.ConnectTimeout()}))
    return top.Seen("12:00:00", 0.1, statuses, survey.summarize(statuses), ("SIMULATED: not real",))


def names(text: str) -> list[str]:
    return re.findall(r"^  \S (n-\d+)", text, re.MULTILINE)


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_the_terminal(width: int) -> None:
    text = draw(Page(seen(), Screenful()), width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert len(text.splitlines()) <= 25
    assert names(text)[:3] == ["n-2", "n-1", "n-3"]
    assert "SIMULATED" in text
    assert "of 59" in text


def test_scrolling_stops_at_the_end() -> None:
    assert names(draw(Page(seen(), Screenful(order="name", offset=1000)), 80))[-1] == "n-59"


def test_what_is_typed_is_seen_and_counts() -> None:
    text = draw(Page(seen(), Screenful(filter="alarm", typing=True)), 80)
    assert "filter: alarm_" in text
    assert names(text) == ["n-1"]
    assert "nothing matches" in draw(Page(seen(), Screenful(filter="no such thing")), 80)


def test_before_the_first_answer() -> None:
    assert "asking" in draw(Page(None, Screenful()), 80)


def test_paused_is_told() -> None:
    assert "PAUSED" in draw(Page(seen(), Screenful(paused=True)), 80)
