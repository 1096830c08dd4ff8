"""The fault table: from an error code of the driver to what it means and what to do. The table is data."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Optional

from npu_agent import api

# What a handling level means for the state of the NPU and for what ought to be done.
LEVELS: dict[str, tuple[str, str]] = {
    "NotHandleFault": (api.HEALTHY, "none"),
    "SubHealthFault": (api.DEGRADED, "none"),
    "RestartRequest": (api.DEGRADED, "restart-workload"),
    "FreeRestartNPU": (api.DEGRADED, "reset-npu-when-idle"),
    "RestartBusiness": (api.UNHEALTHY, "restart-workload"),
    "PreSeparateNPU": (api.UNHEALTHY, "reset-npu-when-idle"),
    "RestartNPU": (api.UNHEALTHY, "reset-npu"),
    "SeparateNPU": (api.UNHEALTHY, "replace-hardware"),
}
SEVERITY_WORDS = ("OK", "Warning", "Alarm", "Critical")


@dataclass(frozen=True)
class Fault:
    """One code. `severity` is the word that npu-smi derives from it; texts are keyed by language, en and zh."""

    code: str
    level: Optional[str] = None
    severity: Optional[str] = None
    module: Optional[str] = None
    cause: Mapping[str, str] = field(default_factory=dict)
    meaning: Mapping[str, str] = field(default_factory=dict)
    advice: Mapping[str, str] = field(default_factory=dict)

    def sentence(self, language: str = "en") -> str:
        """Say what is wrong in a few words: the cause, or at least what the level asks for."""
        cause = self.cause.get(language)
        where = f"{self.module}: " if self.module and not cause else ""
        return cause or where + self.meaning.get(language, "")


def lookup(code: str) -> Optional[Fault]:
    """Find a code (hexadecimal, with or without 0x, in any case); None where the table does not have it."""
    wanted = code.strip().upper().removeprefix("0X")
    record = _load("faults.json")["codes"].get(wanted)
    if record is None:
        return None
    texts = _load("fault_texts.json")
    level = record.get("level")
    severity = record.get("severity")
    return Fault(
        code=wanted,
        level=level,
        severity=None if severity is None else SEVERITY_WORDS[severity],
        module=record.get("module"),
        cause=texts["causes"].get(wanted, {}),
        meaning=texts["levels"].get(level, {}).get("meaning", {}),
        advice=texts["levels"].get(level, {}).get("advice", {}),
    )


def codes() -> tuple[str, ...]:
    return tuple(_load("faults.json")["codes"])


@functools.cache
def _load(name: str) -> dict[str, Any]:
    text = resources.files("npu_agent").joinpath("data", name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
