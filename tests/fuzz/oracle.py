"""What a reading of a damaged table may say: what the table said, nothing, or what literally stands there now."""

from __future__ import annotations

import re
from typing import Any

from fuzz.layouts import FIELDS, Sample
from npu_agent.probe.model import Chip, InfoTable, Process

FIRST = ("npu_id", "name", "health", "power_w", "temperature_c", "hugepages_used", "hugepages_total")
SECOND = (
    "chip_id", "phy_id", "device", "bus_id", "aicore_percent", "npu_util_percent",
    "memory_used_mb", "memory_total_mb", "hbm_used_mb", "hbm_total_mb",
)  # fmt: skip
_ITEM = re.compile(r"(\d+)\s*/\s*(\d+)|(\S+)")
_LABEL = re.compile(r"[A-Za-z][\w-]*(?: [\w-]+)* ?\([^()]*\)")


def exact(sample: Sample, found: InfoTable) -> None:
    """Hold an undamaged table against what was printed."""
    read = [{name: getattr(chip, name) for name in (*FIRST, *SECOND)} for chip in found.chips]
    assert read == [{name: chip.get(name) for name in (*FIRST, *SECOND)} for chip in sample.chips]
    assert (found.tool_version, found.driver_version) == sample.versions
    assert [_plain(process) for process in found.processes] == sample.processes
    assert list(found.idle_npus) == sample.idle
    assert found.complete, found.problems


def right_or_unknown(sample: Sample, found: InfoTable, text: str) -> None:
    """Hold a table that was hit once: every value is right or unknown, and no absence is claimed that is not so."""
    for chip in found.chips:
        assert any(_fits(chip, truth, (*FIRST, *SECOND)) for truth in sample.chips), chip
    _processes_fit(sample, found, "")
    if found.chips_complete and not _ends_at_a_rule(sample, text):
        assert {(chip.npu_id, chip.chip_id) for chip in found.chips} == set(map(sample.key, sample.chips))
    if found.processes_complete:
        assert set(found.idle_npus) == set(sample.idle)


def _ends_at_a_rule(sample: Sample, text: str) -> bool:
    """Nobody can tell a table that was cut between two cards from a whole one, where none need follow for processes."""
    return not sample.family.always_processes and text.rstrip().endswith("=+")


def literal(sample: Sample, found: InfoTable, text: str) -> None:
    """Hold a table that was hit several times: what is neither right nor unknown stands at its place in the text."""
    rows = [_cells(line) for line in re.split(r"[\r\n]", text) if "|" in line]
    for chip in found.chips:
        for names, reads in ((FIRST, _reads_first), (SECOND, _reads_second)):
            right = any(_fits(chip, truth, names) for truth in sample.chips)
            assert right or any(reads(chip, row, rows) for row in rows), (chip, names)
    _processes_fit(sample, found, text)


def _plain(process: Process) -> tuple[Any, ...]:
    return process.npu_id, process.chip_id, process.pid, process.name, process.memory_mb


def _fits(chip: Chip, truth: dict[str, Any], names: tuple[str, ...]) -> bool:
    return all(getattr(chip, name) in (None, truth.get(name)) for name in names)


def _processes_fit(sample: Sample, found: InfoTable, text: str) -> None:
    for process in found.processes:
        said = _plain(process)
        right = any(all(a in (None, b) for a, b in zip(said, real, strict=True)) for real in sample.processes)
        assert right or _line_with(text, [value for value in said if value is not None]), process
    for card in found.idle_npus:
        assert card in sample.idle or _line_with(text, [f"No running processes found in NPU {card}"]), card


def _line_with(text: str, values: list[Any]) -> bool:
    if not text:
        return False
    lines = re.split(r"[\r\n]", text.expandtabs())
    return any(all(str(value) in line for value in values) for line in lines)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.expandtabs().strip().removeprefix("|").removesuffix("|").split("|")]


def _reads_first(chip: Chip, cells: list[str], rows: list[list[str]]) -> bool:
    ids = " ".join(cells[:-2]).split()
    return (
        len(cells) >= 3
        and chip.health in (None, cells[-2])
        and (chip.npu_id is None or ids[:1] == [str(chip.npu_id)])
        and (chip.name is None or chip.name in " ".join(cells[:-2]))
        and _values_stand(chip, cells[-1], FIRST[3:], rows)
    )


def _reads_second(chip: Chip, cells: list[str], rows: list[list[str]]) -> bool:
    ids = [None, *cells[0].split()]
    return (
        len(cells) >= 3
        and all(value is None or str(value) in ids for value in (chip.chip_id, chip.phy_id, chip.device))
        and chip.bus_id in (None, cells[-2].upper())
        and _values_stand(chip, cells[-1], SECOND[4:], rows)
    )


def _values_stand(chip: Chip, cell: str, names: tuple[str, ...], rows: list[list[str]]) -> bool:
    """Look the values up under the labels of any header that is left; without one, anywhere in the cell."""
    items = [match.groups() for match in _ITEM.finditer(cell)]
    wanted = {name: getattr(chip, name) for name in names if getattr(chip, name) is not None}
    loose = {str(part) for item in items for part in item if part} | {
        _number(part) for i in items for part in i if part
    }
    if any(value not in loose for value in wanted.values()):
        return False
    headers = [_LABEL.findall(row[-1]) for row in rows if len(_LABEL.findall(row[-1])) == len(items)]
    return not headers or any(_under(labels, items, wanted) for labels in headers) or not _known(headers, wanted)


def _known(headers: list[list[str]], wanted: dict[str, Any]) -> bool:
    labelled = {name for labels in headers for label in labels for name in FIELDS.get(label, ())}
    return bool(wanted.keys() & labelled)


def _under(labels: list[str], items: list[tuple[str, ...]], wanted: dict[str, Any]) -> bool:
    printed: dict[str, Any] = {}
    for label, (used, total, single) in zip(labels, items, strict=True):
        names = FIELDS.get(label, ())
        values = (_number(used), _number(total)) if len(names) == 2 else (_number(single),)
        printed.update(zip(names, values, strict=False))
    return all(printed.get(name) == value for name, value in wanted.items())


def _number(text: str | None) -> Any:
    try:
        return float(text or "")
    except ValueError:
        return text
