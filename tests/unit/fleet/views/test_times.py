from __future__ import annotations

from datetime import UTC, datetime

import pytest

from npufleet.views import times

NOW = datetime(2026, 1, 2, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (7200, "2 h"), (90000, "1 d 1 h"), (-5, "0 s")],
)
def test_span(seconds: float, text: str) -> None:
    assert times.span(seconds) == text


@pytest.mark.parametrize(
    ("since", "text"),
    [("2026-01-02T04:58:00Z", "2 min"), ("2026-01-02T04:58:00", "2 min"), (None, ""), ("yesterday", ""), ("", "")],
)
def test_since(since: str | None, text: str) -> None:
    assert times.since(since, NOW) == text
