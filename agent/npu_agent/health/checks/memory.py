"""memory: what the kernel could still give to programs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

from npu_agent import api
from npu_agent.health.check import Context, register
from npu_agent.health.limits import by_limit
from npu_agent.health.verdict import Verdict, gravest

_LINE = re.compile(r"^(MemTotal|MemAvailable):\s+(\d+) kB$", re.MULTILINE)


@register
class Memory:
    name = "memory"

    def run(self, context: Context) -> Iterable[Verdict]:
        found = {key: int(value) for key, value in _LINE.findall(context.paths.read("/proc/meminfo") or "")}
        return [judge_memory(context, found.get("MemTotal"), found.get("MemAvailable"))]


def judge_memory(context: Context, total_kb: Optional[int], available_kb: Optional[int]) -> Verdict:
    if not total_kb or available_kb is None:
        return Verdict(Memory.name, api.UNKNOWN, "/proc/meminfo could not be read", "none")
    percent = 100.0 * available_kb / total_kb
    words = f"{available_kb / 1024:.0f} of {total_kb / 1024:.0f} MiB of memory can still be given to programs"
    low = by_limit(
        Memory.name, context.rules, "memory-available-percent", percent, words, mark="memory-low", low_is_bad=True
    )
    return gravest([Verdict(Memory.name, api.HEALTHY), *low])
