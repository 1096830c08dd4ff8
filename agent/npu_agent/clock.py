"""Time as the agent sees it: one object to hand around, so that a test can say what time it is."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol

from npu_agent import nodefacts


class Clock(Protocol):
    """Ages are measured with `monotonic`; `now` is only for people and must never decide anything."""

    def monotonic(self) -> float: ...

    def now(self) -> datetime: ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(timezone.utc)


class BootClock:
    """Seconds since the node's boot, sleep included: no step of the wall clock moves it.

    Two moments compare only where `boot_id` is the same: with every boot it begins anew.
    """

    def __init__(self) -> None:
        self.boot_id = nodefacts.boot_id() or ""

    def now_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second, with a Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
