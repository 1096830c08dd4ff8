from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest
import requests

from npu_agent import api
from npufleet import survey, top
from npufleet.top import Screenful
from unit.fleet.samples import make_facts, make_fleet, make_npu, make_npus, make_workload, sick_facts


def pressed(*keys: str) -> Screenful:
    screen = Screenful()
    for key in keys:
        screen = screen.press(key)
    return screen


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["q"], Screenful(ended=True)),
        (["s"], Screenful(order="name")),
        (["s"] * len(top.ORDERS), Screenful()),
        ([" "], Screenful(paused=True)),
        ([" ", " "], Screenful()),
        (["down", "j", "up"], Screenful(offset=1)),
        (["up"], Screenful()),
        (["pagedown", "pageup", "pageup"], Screenful()),
        (["/", *"qx", "backspace", "enter"], Screenful(filter="q")),
        (["/", *"qx"], Screenful(filter="qx", typing=True)),
        (["/", *"qx", "escape"], Screenful()),
        (["/", "q", "enter", "escape"], Screenful()),
        (["F1", "ü"], Screenful()),
    ],
)
def test_keys(keys: list[str], expected: Screenful) -> None:
    assert pressed(*keys) == expected


def seen() -> top.Seen:
    hot = [dataclasses.replace(make_npu(0), temperature_c=80.0, aicore_percent=90.0)]
    statuses = survey.take(
        make_fleet(
            {
                "n-1": make_facts("n-1", npus=make_npus(held={0: "job"}), workloads=[make_workload("job")]),
                "n-2": sick_facts("n-2"),
                "n-3": requests.ConnectTimeout(),
                "n-4": make_facts("n-4", npus=hot),
            }
        )
    )
    return top.Seen("12:00:00", 0.1, statuses, survey.summarize(statuses))


def names(statuses: Iterable[survey.NodeStatus]) -> list[str]:
    return [status.node.name for status in statuses]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("worst", ["n-3", "n-2", "n-1", "n-4"]),
        ("name", ["n-1", "n-2", "n-3", "n-4"]),
        ("free", ["n-1", "n-2", "n-4", "n-3"]),
        ("busy", ["n-4", "n-2", "n-1", "n-3"]),
        ("heat", ["n-4", "n-2", "n-1", "n-3"]),
    ],
)
def test_order_and_what_is_not_known_comes_last(order: str, expected: list[str]) -> None:
    assert names(top.chosen(seen(), Screenful(order=order))) == expected


@pytest.mark.parametrize(("word", "expected"), [("JOB", ["n-1"]), ("alarm", ["n-2"]), ("unreach", ["n-3"]), ("?", [])])
def test_filter_looks_at_workloads_reasons_and_states(word: str, expected: list[str]) -> None:
    assert names(top.chosen(seen(), Screenful(filter=word))) == expected


def test_load_of_what_is_not_known_is_not_zero() -> None:
    assert top.load([make_npu(0, api.UNKNOWN)]) == top.Load(None, None, None, None)
    assert top.load(make_npus(2)) == top.Load(0.0, 41, 184.8, 100 * 3072 / 65536)
