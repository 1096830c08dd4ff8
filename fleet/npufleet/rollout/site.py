"""What a rollout works with: the fleet, a way to run playbooks, a clock, and the operator's hooks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from npufleet.fleet import Fleet
from npufleet.rollout import hooks
from npufleet.rollout.apply import Apply
from npufleet.rollout.hooks import Hook


@dataclass(frozen=True)
class Clock:
    """`now_s` never jumps; deadlines that an interruption cuts in two begin anew."""

    now_s: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Site:
    fleet: Fleet
    apply: Apply
    root: Path
    clock: Clock = field(default_factory=Clock)
    hook: Hook = hooks.call
