"""When which fault was seen."""

from __future__ import annotations

import json

from npu_agent.health.ledger import Ledger


def test_a_fault_that_stays_is_one_occurrence_and_one_that_returns_is_two() -> None:
    ledger = Ledger()
    for now, marks in ((1.0, ["A"]), (2.0, ["A"]), (3.0, []), (4.0, ["A"])):
        ledger.look("npu/0", marks, now, "b1")
    assert [(o.began, o.ended) for o in ledger.of("npu/0")["A"]] == [(1.0, 3.0), (4.0, None)]
    assert ledger.of("npu/1") == {}


def test_a_fault_in_another_boot_has_begun_anew() -> None:
    ledger = Ledger()
    ledger.look("npu/0", ["A"], 1.0, "b1")
    ledger.look("npu/0", ["A"], 2.0, "b2")
    assert [o.boot for o in ledger.of("npu/0")["A"]] == ["b1", "b2"]
    assert ledger.boots_with("npu/0", ["A", "B"], since=0.0) == 2
    assert ledger.boots_with("npu/0", ["B"], since=0.0) == 0


def test_it_is_kept_as_json_and_what_cannot_be_read_is_forgotten() -> None:
    ledger = Ledger()
    ledger.look("npu/0", ["A"], 1.0, "b1")
    ledger.look("npu/0", [], 2.0, "b1")
    kept = json.loads(json.dumps(ledger.to_document()))
    assert Ledger.from_document([*kept, {"component": "x"}, 7]).to_document() == kept
    assert Ledger.from_document("nonsense").to_document() == []


def test_it_knows_when_there_is_something_new_to_keep() -> None:
    ledger = Ledger()
    ledger.look("npu/0", ["A"], 1.0, "b1")
    assert ledger.changed
    ledger.changed = False
    ledger.look("npu/0", ["A"], 2.0, "b1")
    assert not ledger.changed


def test_it_is_bounded_and_forgets_what_is_old() -> None:
    ledger = Ledger()
    for turn in range(100):
        ledger.look(
            "npu/0", ["A"] if turn % 2 else [f"mark {turn}" for turn in range(turn, turn + 5)], float(turn), "b"
        )
    assert len(ledger.of("npu/0")["A"]) <= 16
    assert len(ledger.of("npu/0")) <= 64
    ledger.look("npu/0", [], 100.0, "b")
    ledger.forget(before=1000.0)
    assert ledger.of("npu/0") == {}


def test_what_lasts_is_never_forgotten() -> None:
    ledger = Ledger()
    ledger.look("npu/0", ["A"], 1.0, "b")
    ledger.forget(before=1000.0)
    assert "A" in ledger.of("npu/0")
