"""npu-exporter's metrics: the same names, labels, units and value rules for what the tools tell.

A reading that is not known gives no sample. `docs/reference/metrics.md` lists what is served and what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Optional

from prometheus_client.core import GaugeMetricFamily, Metric

from npu_agent import __version__
from npu_agent.probe.model import Number
from npu_agent.quantities import CHIP_LABELS, QUANTITIES, Chip, ContainerLabel
from npu_agent.snapshot import NpuProcess
from npu_agent.view import View

_MAX_ERROR_CODES = 10


def families(view: View, containers: Mapping[int, Sequence[ContainerLabel]]) -> Iterator[Metric]:
    """Everything that npu-exporter would tell of this view; the caller has seen that it is not stale."""
    chips = [Chip(sighting, view, containers.get(sighting.npu, ())) for sighting in view.sightings.values()]
    yield from _machine(view, chips)
    yield from _quantities(chips)
    yield from _names(chips)
    yield from _error_codes(chips)
    yield from _processes(chips, view)
    yield from _containers(chips)


def _machine(view: View, chips: Sequence[Chip]) -> Iterator[Metric]:
    healths = [chip.health() for chip in chips]
    cards = {chip.sighting.card for chip in chips if chip.sighting.card is not None}
    unknown = "Amount of the npus whose health status cannot be obtained on the machine."
    for name, text, value in (
        ("machine_npu_nums", "Amount of npu installed on the machine.", len(chips)),
        ("machine_card_nums", "Amount of card installed on the machine.", len(cards)),
        ("machine_healthy_npu_nums", "Amount of healthy npu on the machine.", healths.count(1)),
        ("machine_unhealthy_npu_nums", "Amount of unhealthy npu on the machine.", healths.count(0)),
        ("machine_unknown_npu_nums", unknown, healths.count(-1)),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    labels = ("exporterVersion", "driverVersion")
    base = GaugeMetricFamily("node_base_info", "the common information of this node", labels=labels)
    base.add_metric([__version__, view.driver_version or ""], 1)
    yield base


def _quantities(chips: Sequence[Chip]) -> Iterator[Metric]:
    for quantity in QUANTITIES:
        family = GaugeMetricFamily(quantity.name, quantity.help, labels=CHIP_LABELS)
        for chip in chips:
            value = quantity.read(chip)
            if value is not None:
                family.add_metric(chip.values, value)
        if family.samples:
            yield family


def _names(chips: Sequence[Chip]) -> Iterator[Metric]:
    labels = ("id", "name", *CHIP_LABELS[2:])
    names = GaugeMetricFamily("npu_chip_info_name", "the Ascend npu name with value '1'", labels=labels)
    serials = GaugeMetricFamily(
        "npu_chip_info_serial_number", "the npu serial number information", labels=(*CHIP_LABELS, "serial_number")
    )
    for chip in chips:
        names.add_metric(chip.values, 1)
        board = chip.sighting.board
        if board and board.serial_number:
            serials.add_metric([*chip.values, board.serial_number], 1)
    yield names
    if serials.samples:
        yield serials


def _error_codes(chips: Sequence[Chip]) -> Iterator[Metric]:
    """Give each code of a chip a metric of its own, as a decimal number; a chip without codes has no sample."""
    for index in range(_MAX_ERROR_CODES):
        name = f"npu_chip_info_error_code_{index}" if index else "npu_chip_info_error_code"
        family = GaugeMetricFamily(name, "the npu error code", labels=CHIP_LABELS)
        for chip in chips:
            if index < len(chip.codes):
                family.add_metric(chip.values, int(chip.codes[index], 16))
        if family.samples:
            yield family


def _processes(chips: Sequence[Chip], view: View) -> Iterator[Metric]:
    """Count processes only where the whole table arrived: a missing row is not an idle NPU."""
    by_npu: dict[Optional[int], list[NpuProcess]] = {}
    for process in view.processes:
        by_npu.setdefault(process.npu, []).append(process)
    labels = (*CHIP_LABELS, "process_id", "container_id")
    info = GaugeMetricFamily("npu_chip_info_process_info", "the npu process info, unit is 'MB'", labels=labels)
    count = GaugeMetricFamily("npu_chip_info_process_info_num", "the npu process num", labels=CHIP_LABELS)
    for chip in chips:
        processes = by_npu.get(chip.sighting.npu, [])
        if view.processes_complete:
            count.add_metric(chip.values, len(processes))
        container_id = chip.containers[0].container_id if len(chip.containers) == 1 else ""
        for process in processes:
            if process.pid is not None and process.memory_mb is not None:
                info.add_metric([*chip.values, str(process.pid), container_id], process.memory_mb)
    yield info
    yield count


def _containers(chips: Sequence[Chip]) -> Iterator[Metric]:
    labels = ("npuID", *CHIP_LABELS[1:], "containerID", "containerName")
    info = GaugeMetricFamily("npu_container_info", "the container name and deviceID relationship", labels=labels)
    for chip in chips:
        for container in chip.containers:
            info.add_metric([*chip.values, container.container_id, container.name], 1)
    yield info
    readings: tuple[tuple[str, str, Callable[[Chip], Optional[Number]]], ...] = (
        ("utilization", "npu ai core utilization in container, unit is '%'", lambda chip: chip.row.aicore_percent),
        ("used_memory", "the npu used memory in container, unit is 'MB'", _used_mb),
        ("total_memory", "the npu total memory in container, unit is 'MB'", _total_mb),
    )
    for name, text, read in readings:
        family = GaugeMetricFamily(f"container_npu_{name}", text, labels=CHIP_LABELS)
        for chip in chips:
            value = read(chip) if len(chip.containers) == 1 else None
            if value is not None:
                family.add_metric(chip.values, value)
        yield family


def _used_mb(chip: Chip) -> Optional[Number]:
    return chip.row.hbm_used_mb if chip.row.hbm_total_mb else chip.row.memory_used_mb


def _total_mb(chip: Chip) -> Optional[Number]:
    return chip.row.hbm_total_mb or chip.row.memory_total_mb
