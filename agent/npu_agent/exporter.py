"""npu-exporter's metrics: the same names, labels, units and value rules for what npu-smi tells.

A reading that is not known gives no sample. `docs/reference/metrics.md` lists what is served and what is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from prometheus_client.core import GaugeMetricFamily, Metric

from npu_agent import __version__
from npu_agent.probe.model import Number
from npu_agent.snapshot import NpuProcess, Sighting
from npu_agent.view import View

CHIP_LABELS = ("id", "model_name", "vdie_id", "pcie_bus_info", "namespace", "pod_name", "container_name")
_MAX_ERROR_CODES = 10
_SHARED = "not_displayed_for_multi_pod"


@dataclass(frozen=True)
class ContainerLabel:
    """The container that has an NPU. Plain Docker knows neither namespace nor pod: those labels stay empty."""

    container_id: str
    name: str


class Chip:
    """A sighting with the labels that npu-exporter puts on everything."""

    def __init__(self, sighting: Sighting, containers: Sequence[ContainerLabel]) -> None:
        self.sighting = sighting
        self.row = sighting.chip
        self.containers = containers
        only = containers[0].name if len(containers) == 1 else ""
        shared = _SHARED if len(containers) > 1 else ""
        board = sighting.board
        full_name = [board.chip_name, board.chip_type, board.chip_version] if board else []
        self.model = "-".join(filter(None, full_name)) if full_name and all(full_name) else self.row.name or ""
        vdie = "-".join((board.vdie_id if board and board.vdie_id else "").split())
        self.values = [str(sighting.npu), self.model, vdie, self.row.bus_id or "", shared, shared, only or shared]

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.sighting.codes.codes if self.sighting.codes else None) or ()

    def health(self) -> Number:
        """1 healthy, 0 not, -1 where the tool could not tell."""
        if self.row.health in (None, "UNKNOWN"):
            return -1
        return 1 if self.row.health == "OK" else 0

    def hbm_percent(self) -> Optional[Number]:
        used, total = self.row.hbm_used_mb, self.row.hbm_total_mb
        return None if used is None or not total else round(100 * used / total)

    def asked(self, question: str, key: str) -> Optional[Number]:
        """Look into the answer to `npu-smi info -t <question>`, where it was given lately."""
        reading = self.sighting.readings.get(question)
        return reading.values.get(key) if reading else None


@dataclass(frozen=True)
class Quantity:
    """One gauge of every chip; `unit` is npu-exporter's, empty for a bare number; `source` is npu-smi's question."""

    name: str
    unit: str
    help: str
    source: str
    read: Callable[[Chip], Optional[Number]]


def _asked(name: str, unit: str, text: str, question: str, key: str) -> Quantity:
    return Quantity(name, unit, text, f"info -t {question}", lambda chip: chip.asked(question, key))


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("npu_chip_info_health_status", "", "the npu health status", "info", Chip.health),
    Quantity("npu_chip_info_utilization", "%", "the ai core utilization", "info", lambda c: c.row.aicore_percent),
    Quantity(
        "npu_chip_info_overall_utilization", "%", "the overall utilization of npu", "info",
        lambda c: c.row.npu_util_percent,
    ),
    Quantity("npu_chip_info_temperature", "C", "the npu temperature", "info", lambda c: c.row.temperature_c),
    Quantity("npu_chip_info_power", "W", "the npu power", "info", lambda c: c.row.power_w),
    Quantity("npu_chip_info_used_memory", "MB", "the npu used memory", "info", lambda c: c.row.memory_used_mb),
    Quantity("npu_chip_info_total_memory", "MB", "the npu total memory", "info", lambda c: c.row.memory_total_mb),
    Quantity("npu_chip_info_hbm_used_memory", "MB", "the npu hbm used memory", "info", lambda c: c.row.hbm_used_mb),
    Quantity("npu_chip_info_hbm_total_memory", "MB", "the npu hbm total memory", "info", lambda c: c.row.hbm_total_mb),
    Quantity("npu_chip_info_hbm_utilization", "%", "the npu hbm utilization", "info", Chip.hbm_percent),
    _asked(
        "npu_chip_info_hbm_bandwidth_utilization", "%", "the npu hbm bandwidth util rate",
        "usages", "hbm bandwidth usage rate(%)",
    ),
    _asked("npu_chip_info_hbm_temperature", "C", "the npu hbm temperature", "memory", "hbm temperature(c)"),
    _asked(
        "npu_chip_info_aicore_current_freq", "MHz", "the npu ai core current frequency, unit is 'MHz'",
        "common", "aicore curfreq(mhz)",
    ),
    *(
        _asked(f"npu_chip_info_hbm_ecc_{name}", "", text, "ecc", f"hbm {key}")
        for name, text, key in (
            ("single_bit_error_cnt", "HBM Single Bit Error Count", "single bit error count"),
            ("double_bit_error_cnt", "HBM Double Bit Error Count", "double bit error count"),
            (
                "total_single_bit_error_cnt", "HBM Single Bit Aggregate Total Err Cnt",
                "single bit aggregate total err cnt",
            ),
            (
                "total_double_bit_error_cnt", "HBM Double Bit Aggregate Total Err Cnt",
                "double bit aggregate total err cnt",
            ),
            (
                "single_bit_isolated_pages_cnt", "HBM Single Bit Isolated Pages Count",
                "single bit isolated pages count",
            ),
            (
                "double_bit_isolated_pages_cnt", "HBM Double Bit Isolated Pages Count",
                "double bit isolated pages count",
            ),
        )
    ),
)  # fmt: skip


def families(view: View, containers: Mapping[int, Sequence[ContainerLabel]]) -> Iterator[Metric]:
    """Everything that npu-exporter would tell of this view; the caller has seen that it is not stale."""
    chips = [Chip(sighting, containers.get(sighting.npu, ())) for sighting in view.sightings.values()]
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
