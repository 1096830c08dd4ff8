"""One question a round, by turns; a refusal is an answer; what is old is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from npu_agent.readings import KEPT_S, QUESTIONS, Reading
from npu_agent.snapshot import Sighting
from unit.agent.fake_node import FakeNode
from unit.agent.recorded import healthy_table

MEMORY = "\tHBM Capacity(MB)               : 65536\n\tHBM Temperature(C)             : 52\n"


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(tmp_path)


def asked(node: FakeNode) -> list[str]:
    return [call for call in node.smi.calls if any(f"-t {question}" in call for question in QUESTIONS)]


def sighting(node: FakeNode, npu: int) -> Sighting:
    return node.monitor.view().sightings[npu]


def test_one_question_a_round_and_every_npu_in_turn(node: FakeNode) -> None:
    for number in range(1, 8 * len(QUESTIONS) + 1):
        node.cycles(1)
        assert len(asked(node)) == number
    assert len(set(asked(node))) == 8 * len(QUESTIONS)


def test_nothing_is_asked_again_before_its_time(node: FakeNode) -> None:
    for _ in range(3 * 8 * len(QUESTIONS)):
        node.cycles(1, interval_s=0.5)
    times = node.clock.at - 1000
    assert len(asked(node)) <= 8 * len(QUESTIONS) * (1 + times / 60)


def test_an_answer_reaches_the_view(node: FakeNode) -> None:
    node.smi.mute = MEMORY
    node.cycles(8 * len(QUESTIONS) + 1)
    found = sighting(node, 3).readings["memory"]
    assert isinstance(found, Reading)
    assert found.values["hbm temperature(c)"] == 52


def test_a_refusal_has_no_number(node: FakeNode) -> None:
    node.cycles(8 * len(QUESTIONS) + 1)
    assert sighting(node, 3).readings["ecc"].values == {}


def test_what_is_old_is_not_known(node: FakeNode) -> None:
    node.smi.mute = MEMORY
    node.cycles(8 * len(QUESTIONS) + 1)
    node.wait(KEPT_S)
    node.cycles(1)
    assert sighting(node, 3).readings == {}


def test_a_slow_tool_is_not_asked_more(node: FakeNode) -> None:
    node.smi.takes_s = 4.0
    node.cycles(3)
    assert asked(node) == []


def test_news_does_not_wait_for_other_questions(node: FakeNode) -> None:
    node.cycles(3)
    node.smi.info, node.smi.health = healthy_table(n5="Alarm"), {5: "80E01801"}
    node.smi.calls.clear()
    node.cycles(1)
    assert node.smi.calls == ["info", "info -t health -i 5 -c 0"]
    assert node.state_of("npu/5") != "healthy"
    node.smi.calls.clear()
    node.cycles(1)
    assert len(asked(node)) == 1
