"""The fault table: from an error code of the driver to what it means and what to do. The table is data."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Optional

SEVERITY_WORDS = ("OK", "Warning", "Alarm", "Critical")
LANGUAGES = ("en", "zh")
USES = ("training", "inference")
_HEX = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{8,9})")
# Codes have a bit among the two highest set, so their decimal form, as npu-exporter prints it, has ten digits.
_DECIMAL = re.compile(r"[0-9]{10}")

Texts = Mapping[str, str]


@dataclass(frozen=True)
class Fault:
    """One code. `severity` is the word that npu-smi derives from it.

    Texts are keyed by language, en and zh; `advice` by use before that, training and inference.
    """

    code: str
    level: Optional[str] = None
    severity: Optional[str] = None
    module: Optional[str] = None
    cause: Texts = field(default_factory=dict)
    component: Texts = field(default_factory=dict)
    meaning: Texts = field(default_factory=dict)
    advice: Mapping[str, Texts] = field(default_factory=dict)

    def sentence(self, language: str = "en") -> str:
        """Say what is wrong in a few words: the cause, or at least what the level asks for."""
        cause = self.cause.get(language)
        where = f"{self.module}: " if self.module and not cause else ""
        return cause or where + self.meaning.get(language, "")


def normalise(text: str) -> Optional[str]:
    """Return a code as the table has it; None for what is no code.

    People write codes in hexadecimal with or without 0x in any case, npu-exporter in decimal.
    """
    wanted = text.strip()
    match = _HEX.fullmatch(wanted)
    if match:
        return match[1].upper()
    if _DECIMAL.fullmatch(wanted) and int(wanted) <= 0xFFFFFFFF:
        return f"{int(wanted):08X}"
    return None


def lookup(code: str) -> Optional[Fault]:
    """Find a code in any way of writing it; None where the table does not have it."""
    wanted = normalise(code)
    record = _load("faults.json")["codes"].get(wanted)
    if record is None or wanted is None:
        return None
    texts, level, severity = _load("fault_texts.json"), record.get("level"), record.get("severity")
    module = record.get("module") or _modules_by_prefix().get(wanted[:4])
    of_level = texts["levels"].get(level, {})
    return Fault(
        code=wanted,
        level=level,
        severity=None if severity is None else SEVERITY_WORDS[severity],
        module=module,
        cause=texts["causes"].get(wanted) or _composed(texts, module, wanted),
        component=texts["modules"].get(module, {}),
        meaning=of_level.get("meaning", {}),
        advice=texts["advice"].get(wanted) or of_level.get("advice", {}),
    )


def level_texts(level: str) -> Mapping[str, Any]:
    """What a level asks for: `meaning`, and `advice` by use."""
    found: Mapping[str, Any] = _load("fault_texts.json")["levels"].get(level, {})
    return found


def codes() -> tuple[str, ...]:
    return tuple(_load("faults.json")["codes"])


def _composed(texts: Mapping[str, Any], module: Optional[str], code: str) -> Texts:
    """Codes are built: the first half names the part of the chip, the second what happened to it."""
    part, event = texts["modules"].get(module), texts["events"].get(code[4:])
    return {language: event[language].format(module=part[language]) for language in part} if part and event else {}


@functools.cache
def _modules_by_prefix() -> dict[str, str]:
    """Learn from the codes whose part of the chip is known what their first half means."""
    found: dict[str, set[str]] = {}
    for code, record in _load("faults.json")["codes"].items():
        if record.get("module"):
            found.setdefault(code[:4], set()).add(record["module"])
    return {prefix: next(iter(names)) for prefix, names in found.items() if len(names) == 1}


@functools.cache
def _load(name: str) -> dict[str, Any]:
    text = resources.files("npu_agent").joinpath("data", name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
