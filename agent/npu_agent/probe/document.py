"""The result of `npu-agent probe --json`: one plain document in which unknown is null."""

from __future__ import annotations

import codecs
import dataclasses
from typing import Any, Optional

from npu_agent.probe import model
from npu_agent.probe.errors import classify
from npu_agent.probe.info import parse_info
from npu_agent.probe.mapping import Mapping
from npu_agent.probe.model import InfoTable, ProbeError
from npu_agent.probe.recognise import recognise
from npu_agent.run import Completed

_NO_TABLE = ProbeError(model.GARBAGE, "the answer holds no table of npu-smi info that could be read")
_CHIP_KEYS = (
    "npu_id",
    "chip_id",
    "phy_id",
    "name",
    "health",
    "power_w",
    "temperature_c",
    "bus_id",
    "aicore_percent",
    "memory_used_mb",
    "memory_total_mb",
    "hbm_used_mb",
    "hbm_total_mb",
    "hugepages_used",
    "hugepages_total",
)


def decode(data: bytes) -> str:
    """Turn a recorded file into text, whatever wrote it: a shell on Windows writes UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def document(text: str, *, exit_code: Optional[int] = 0) -> dict[str, Any]:
    """Parse a recorded answer of `npu-smi info`."""
    return document_of(Completed(("npu-smi", "info"), exit_code, text))


def document_of(completed: Completed, mapping: Optional[Mapping] = None) -> dict[str, Any]:
    """Parse a run of `npu-smi info`; with a mapping, chips whose physical id is not printed get it from there.

    Where the text is another answer, `other` tells which and what it says; the keys about chips stay empty then.
    """
    table, errors = read(completed)
    other = None if table.chips or completed.timed_out else recognise(completed.stdout)
    if other is not None:
        errors = tuple(error for error in errors if error.kind != model.GARBAGE)
    found: dict[str, Any] = {
        "tool_version": table.tool_version,
        "driver_version": table.driver_version,
        "chips": [_chip(chip, mapping) for chip in table.chips],
        "processes": [dataclasses.asdict(process) for process in table.processes],
        "idle_npus": list(table.idle_npus),
        "errors": [{"code": error.code, "class": error.kind, "message": error.message} for error in errors],
        "complete": table.complete and not errors,
    }
    return {**found, "other": {"output": other.output, "values": other.values}} if other is not None else found


def read(completed: Completed) -> tuple[InfoTable, tuple[ProbeError, ...]]:
    """Parse the answer, and say what is wrong with it. With a good table, chatter around it does not count."""
    table = parse_info("" if completed.timed_out else completed.stdout)
    problems = [ProbeError(model.GARBAGE, problem) for problem in table.problems]
    if completed.exit_code != 0:  # a tool that broke off proves nothing about what it did not print
        table = dataclasses.replace(table, chips_complete=False, processes_complete=False)
    if table.chips and completed.exit_code == 0:
        return table, tuple(problems or _cut(table))
    errors = classify(completed)
    return table, tuple(errors + problems) or (_NO_TABLE,)


def _cut(table: InfoTable) -> list[ProbeError]:
    if table.complete:
        return []
    part = "process table" if table.chips_complete else "chip table"
    return [ProbeError(model.GARBAGE, f"the {part} did not arrive whole")]


def _chip(chip: model.Chip, mapping: Optional[Mapping]) -> dict[str, Any]:
    found = {key: getattr(chip, key) for key in _CHIP_KEYS}
    if mapping is not None and chip.phy_id is None and chip.npu_id is not None:
        found["phy_id"] = mapping.npu_of(chip.npu_id, chip.chip_id)
    return found
