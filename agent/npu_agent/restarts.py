"""When a container that has ended is started again: policy, backoff and budget, pure and kept with the record.

A run that was long enough makes the count of restarts 0 again. The moment of the next start is told in the clock that
survives jumps; after a reboot of the node it is due at once, because the backoff was about this boot.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Optional

from npu_agent.reservations import Clock
from npu_agent.store import Record

NO = "no"
ON_FAILURE = "on-failure"
ALWAYS = "always"
_DEFAULTS: dict[str, Any] = {"backoff_s": 10, "backoff_max_s": 300, "reset_after_s": 600}
_BUDGETS: dict[str, Optional[int]] = {ON_FAILURE: 5, ALWAYS: None}


def settings(asked: Any) -> dict[str, Any]:
    """The whole policy of what a spec says: a word, or an object with some of the keys."""
    given = {"policy": asked} if isinstance(asked, str) else dict(asked)
    if given["policy"] == NO:
        return {"policy": NO}
    return {**_DEFAULTS, "budget": _BUDGETS[given["policy"]], **given}


def wanted(record: Record, exit_code: Optional[int]) -> bool:
    """Whether the policy asks for a start after an end with this code; the budget is another matter.

    Who is stopped because its probe failed did not end well, whatever it made of the stop signal.
    """
    policy = str(record.restart.get("policy", NO))
    if record.probe_failed:
        return policy != NO
    return policy == ALWAYS or (policy == ON_FAILURE and exit_code != 0)


def after_end(record: Record, exit_code: Optional[int], clock: Clock) -> Optional[Record]:
    """The record with the next start written in, or None where it has ended for good."""
    if not wanted(record, exit_code):
        return None
    count = 0 if _ran_s(record, clock) >= record.restart["reset_after_s"] else record.restarts
    budget = record.restart["budget"]
    if budget is not None and count >= budget:
        return None
    due = {"boot_id": clock.boot_id, "at_s": clock.now_s() + backoff_s(record.restart, count)}
    return dataclasses.replace(record, restarts=count + 1, restart_due=due)


def backoff_s(policy: dict[str, Any], count: int) -> float:
    doubled = float(policy["backoff_s"]) * 2.0 ** min(count, 30)
    return min(doubled, float(policy["backoff_max_s"]))


def left_s(record: Record, clock: Clock) -> Optional[float]:
    """Seconds until the next start; None where none is due."""
    due = record.restart_due
    if due is None:
        return None
    if due.get("boot_id") != clock.boot_id:
        return 0.0
    return max(0.0, float(due["at_s"]) - clock.now_s())


def sentence(record: Record, clock: Clock) -> str:
    budget = record.restart["budget"]
    of = f" of {budget}" if budget is not None else ""
    return f"restart {record.restarts}{of} follows after {left_s(record, clock) or 0:.0f} s"


def _ran_s(record: Record, clock: Clock) -> float:
    """How long the last run was, on the clock that survives jumps; of a run of another boot nothing is known."""
    begun = record.run_since
    if begun is None or begun.get("boot_id") != clock.boot_id:
        return 0.0
    return max(0.0, clock.now_s() - float(begun["at_s"]))
