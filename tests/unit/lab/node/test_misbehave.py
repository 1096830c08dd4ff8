"""How a simulated tool fails as a whole."""

from __future__ import annotations

import signal

import pytest

from npufleet_lab.node import misbehave, state

WELL = state.initial("910B3", "24.1.0")


def test_spoiled_output() -> None:
    output = "x" * 1000
    assert misbehave.spoil(output, None) == output.encode()
    assert misbehave.spoil(output, "truncated") == b"x" * 400
    assert misbehave.spoil(output, "empty") == b""
    with pytest.raises(UnicodeDecodeError):
        misbehave.spoil(output, "binary").decode()


def test_a_hung_tool_ignores_a_polite_end_until_the_node_is_healed() -> None:
    hung = {**WELL, "faults": {**WELL["faults"], "hang": True}}
    answers = iter([hung, WELL])
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert misbehave.delay(lambda: next(answers)) == WELL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
