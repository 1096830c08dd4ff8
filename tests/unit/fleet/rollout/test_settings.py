from __future__ import annotations

from typing import Any

import pytest

from npufleet.errors import UsageError
from npufleet.rollout import amounts, settings
from support.repo import ROOT


def test_defaults_are_those_of_the_reference_page() -> None:
    plain = settings.read({})
    assert (plain.max_parallel, plain.canary, plain.auto_promote, plain.auto_revert) == ((1,), 1, False, False)
    assert (plain.min_healthy_time_s, plain.healthy_deadline_s, plain.progress_deadline_s) == (30, 300, 600)
    assert (plain.max_fail_percentage, plain.unreachable, plain.failure_action) == (0, "fail", "pause")
    assert (plain.failure_limit, plain.consecutive_success_limit) == (0, 2)
    assert (plain.drain.mode, plain.drain.deadline_s, plain.drain.grace_s) == ("AllowCompletion", 3600, 300)
    assert (plain.circuit_breaker.percent, plain.circuit_breaker.window_s) == (50, 300)
    page = (ROOT / "docs/reference/rollout.md").read_text(encoding="utf-8")
    assert [name for name in settings.NAMES if f"`{name.replace('grace_time', 'grace')}`" not in page] == []


def test_a_record_gives_back_what_was_read() -> None:
    given = settings.read({"serial": [1, 5, "20%"], "drain": {"mode": "Immediate"}, "hooks": {"rollback": "true"}})
    assert given.max_parallel == (1, 5, "20%")
    assert settings.restore(given.to_dict()) == given
    assert settings.merge(given, {"max_parallel": "2,50%"}).max_parallel == (2, "50%")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"min_healthy_time": "5m"}, "min_healthy_time .300 s. is not shorter than healthy_deadline"),
        ({"healthy_deadline": "10m"}, "healthy_deadline .600 s. is not shorter than progress_deadline"),
        ({"max_parallel": 0}, "max_parallel is 0"),
        ({"max_parallel": "120%"}, "max_parallel is '120%'"),
        ({"canary": -1}, "canary is -1"),
        ({"unreachable": "ignore"}, "unreachable is 'ignore'"),
        ({"drain": {"mode": "Now"}}, "drain.mode is 'Now'"),
        ({"hooks": {"before": "x"}}, "hooks is"),
        ({"auto_revert": "maybe"}, "auto_revert is 'maybe'"),
        ({"max_paralel": 1}, "Did you mean max_parallel"),
        ({"min_healthy_time": "soon"}, "min_healthy_time is 'soon'"),
        ({"poll": 0}, "poll is 0"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        settings.read(given)
    assert caught.value.failure.remedy


def test_no_progress_deadline_needs_no_order() -> None:
    assert settings.read({"progress_deadline": 0}).progress_deadline_s == 0


@pytest.mark.parametrize(("value", "total", "count"), [(3, 10, 3), ("20%", 10, 2), ("20%", 9, 1), ("1%", 4, 1)])
def test_shares_are_rounded_down_to_one_at_least(value: int | str, total: int, count: int) -> None:
    assert amounts.count(value, total) == count


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("1h30m", 5400), (5, 5), ("2", 2), (0.5, 0.5)])
def test_times(text: object, seconds: float) -> None:
    assert amounts.seconds("x", text) == seconds
