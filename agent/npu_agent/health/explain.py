"""What a fault code means under the rules in force: what people look up, on the node and over the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from npu_agent.api_events import FaultInfo
from npu_agent.health import faults
from npu_agent.health.overtime import span
from npu_agent.health.rules import Pattern, Rules

# The driver's own severity for an event that it has none for.
_WORD_OF_UNKNOWN = "Warning"


def explain(text: str, by: Rules) -> Optional[FaultInfo]:
    """Explain a code; None for what is no code. Of a code that nobody knows, the Health word decides."""
    code = faults.normalise(text)
    if code is None:
        return None
    fault = faults.lookup(code) or faults.Fault(code)
    level = by.codes.get(code) or fault.level
    judged = by.levels.get(level or "") or by.words[_WORD_OF_UNKNOWN]
    texts = faults.level_texts(level) if level and level != fault.level else {}
    return FaultInfo(
        code=code,
        known=level is not None,
        level=level,
        severity=fault.severity,
        module=fault.module,
        state=judged.state,
        action=judged.action,
        cause=dict(fault.cause),
        component=dict(fault.component),
        meaning=dict(texts.get("meaning", fault.meaning)),
        advice={use: dict(words) for use, words in texts.get("advice", fault.advice).items()},
        rules=list(_rules(code, level, by)),
    )


def _rules(code: str, level: Optional[str], by: Rules) -> Iterator[str]:
    if level is None:
        words = ", ".join(f"{word} is {judged.state}, {judged.action}" for word, judged in by.words.items())
        yield f"the table does not know this code: npu-smi's Health word decides ({words})"
    elif code in by.codes:
        yield f"this site gives the code the level {level}"
    for duration in by.duration:
        if _fits(duration.pattern, code, level):
            yield _words(duration.pattern, f"lasts longer than {span(duration.lasts_s)}")
    for frequency in by.frequency:
        if _fits(frequency.pattern, code, level):
            yield _words(frequency.pattern, f"comes {frequency.times} times within {span(frequency.within_s)}")


def _fits(pattern: Pattern, code: str, level: Optional[str]) -> bool:
    return code in pattern.marks or level in pattern.levels


def _words(pattern: Pattern, when: str) -> str:
    judged, trial = pattern.judgement, ", only reported" if pattern.dry_run else ""
    return f"{pattern.name}{trial}: {pattern.component} is {judged.state}, {judged.action}, when it {when}"
