from __future__ import annotations

import pytest

from npu_agent.api_events import Event
from npufleet.feed import Told
from npufleet.result import Failure
from npufleet.views import events as view


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Told("n-1", Event(1, "2026-01-02T03:04:05Z", "ready", "node", "the node\x1b[2J is ready", {"ready": True})),
         "n-1   ready    the node is ready"),
        (Told("n-1", failure=Failure("unreachable", "n-1 is unreachable: x.")), "n-1   n-1 is unreachable: x."),
        (Told("n-1"), "n-1   answers again"),
        (Told("n-1", missed=True), "n-1   events are missing here"),
        (Told("n-1", Event(1, "when?", "health", "npu/1", "npu/1 is unhealthy", {"to": "unhealthy"})),
         "n-1   health   npu/1 is unhealthy"),
    ],
)  # fmt: skip
def test_a_line(told: Told, words: str) -> None:
    assert view.line(told, 5).plain.endswith(words)
