"""Turns what a tool says instead of an answer into one of a few kinds of trouble."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

from npu_agent.probe import model, table
from npu_agent.probe.model import ProbeError
from npu_agent.run import EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, Completed

_CODE = re.compile(r"(?:ret|err)(?: code)? is (-?\d{1,6})", re.IGNORECASE)
_CODE_KINDS = {
    -8002: model.PERMISSION,
    -8005: model.DRIVER_NOT_READY,
    -8006: model.TIMEOUT,
    -8007: model.DRIVER_NOT_READY,
    -8008: model.DRIVER_NOT_READY,
    -8009: model.DRIVER_NOT_READY,
    -8010: model.DRIVER_NOT_READY,
    -8011: model.DRIVER_NOT_READY,
    -8012: model.DRIVER_NOT_READY,
    -8013: model.UNSUPPORTED,
    -8017: model.DRIVER_NOT_READY,
    -8020: model.OCCUPIED,
    -8255: model.UNSUPPORTED,
}
# A line of an answer, padded before its colon. What it says, such as the text of a fault code or a sensor that is not
# supported, is no trouble of the tool's; complaints have no blank before their colon.
_ANSWER = re.compile(r"[^:]*\s:(?:\s|$)|:|(?:net health|link) status\s*:|Process id\s*:")
# The order matters: the first that fits a line names its kind.
_PHRASES = (
    (model.OCCUPIED, r"because the device is used"),
    (model.MISSING_LIBRARY, r"error while loading shared libraries"),
    (
        model.PERMISSION,
        r"only by the root user|\u6743\u9650\u4e0d\u591f|permission denied|not permitted|operation not allowed",
    ),
    (model.UNSUPPORTED, r"does not support|error parameter of -|cannot be executed on a vm or container"),
    (model.UNSUPPORTED, r"invalid card id|invalid chip id|not supported"),
    (model.TIMEOUT, r"cmd line execute timeout|timed out|time-?out"),
    (model.MISSING_TOOL, r"no such file or directory|command not found|is a directory"),
    (
        model.MISSING_TOOL,
        r"\u672a\u627e\u5230\u547d\u4ee4|\u6ca1\u6709\u90a3\u4e2a\u6587\u4ef6",
    ),  # a Chinese shell's words
    (model.DRIVER_NOT_READY, r"dcmi modu?l?e?l? initialized? failed|npu_get_card_device_id failed|device not ready"),
    (model.DRIVER_NOT_READY, r"failed to (?:get device type|query card (?:chip )?total info)|get board type failed"),
)
_COMPILED = tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _PHRASES)


def classify_text(text: str) -> list[ProbeError]:
    """List the troubles that the lines of an answer name, each once, in order."""
    found: dict[tuple[str, Optional[int]], ProbeError] = {}
    for line in filter(None, table.plain(text)):
        error = _classify_line(line)
        if error:
            found.setdefault((error.kind, error.code), error)
    return _without_echo(found.values())


def _classify_line(line: str) -> Optional[ProbeError]:
    if line.startswith(("|", "+")) or _ANSWER.match(line):
        return None
    match = _CODE.search(line)
    code = int(match.group(1)) if match else None
    for kind, pattern in _COMPILED:
        if pattern.search(line):
            return ProbeError(_CODE_KINDS.get(code or 0, kind), line[:300], code)
    if code in _CODE_KINDS:
        return ProbeError(_CODE_KINDS[code], line[:300], code)
    return None


def _without_echo(found: Iterable[ProbeError]) -> list[ProbeError]:
    """Drop the failures that only follow from an occupied device."""
    errors = list(found)
    if any(error.kind == model.OCCUPIED for error in errors):
        return [error for error in errors if error.kind == model.OCCUPIED]
    return errors


def classify(completed: Completed) -> list[ProbeError]:
    """List the troubles of one run: how it ended, then what it said."""
    if completed.timed_out:
        return [ProbeError(model.TIMEOUT, _no_answer(completed))]
    errors = classify_text(completed.stdout + "\n" + completed.stderr)
    return errors or _by_exit_code(completed)


def _no_answer(completed: Completed) -> str:
    said = completed.stderr.strip()[-300:]
    if completed.unkillable and said:
        return said
    end = " and cannot be killed" if completed.unkillable else ""
    return f"{completed.argv[0]} gave no answer within {completed.duration_s:.1f} s{end}{': ' + said if said else ''}"


def _by_exit_code(completed: Completed) -> list[ProbeError]:
    code = completed.exit_code
    if not code:
        return []
    if code == EXIT_NOT_FOUND:
        return [ProbeError(model.MISSING_TOOL, f"{completed.argv[0]} was not found")]
    if code == EXIT_NOT_EXECUTABLE:
        return [ProbeError(model.PERMISSION, f"{completed.argv[0]} cannot be executed")]
    # npu-smi ends with the low byte of the driver's (negative) number.
    for number, kind in _CODE_KINDS.items():
        if number & 0xFF == code:
            return [ProbeError(kind, f"{completed.argv[0]} ended with status {code} ({number})", number)]
    return [ProbeError(model.GARBAGE, f"{completed.argv[0]} ended with status {code} and said nothing known")]
