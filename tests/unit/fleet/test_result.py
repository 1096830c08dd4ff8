from __future__ import annotations

import pytest

from npufleet.result import Exit, Failure, Message, Result, spread


def test_envelope_has_every_key_even_when_there_is_nothing_to_tell() -> None:
    assert Result("ps").envelope() == {
        "schema": "npufleet/v1", "command": "ps", "ok": True, "exit_code": 0, "data": {}, "messages": [], "errors": [],
    }  # fmt: skip


def test_envelope_of_a_failure() -> None:
    failure = Failure("npu-held", "NPU 3 is held", "stop it", "lab-1")
    result = Result("run", messages=(Message("note", "n"),), errors=(failure,), exit_code=Exit.FAILED)
    envelope = result.envelope()
    assert (envelope["ok"], envelope["exit_code"]) == (False, 1)
    assert envelope["messages"] == [{"level": "note", "text": "n"}]
    assert envelope["errors"] == [
        {"code": "npu-held", "message": "NPU 3 is held", "remedy": "stop it", "node": "lab-1"}
    ]


@pytest.mark.parametrize(
    ("failed", "unreachable", "total", "code"),
    [(0, 0, 3, Exit.FINE), (1, 0, 3, Exit.PARTLY), (0, 1, 3, Exit.PARTLY), (0, 3, 3, Exit.UNREACHABLE),
     (3, 0, 3, Exit.PARTLY), (1, 2, 3, Exit.PARTLY)],
)  # fmt: skip
def test_spread_judges_many_nodes(failed: int, unreachable: int, total: int, code: Exit) -> None:
    assert spread(failed, unreachable, total) == code
