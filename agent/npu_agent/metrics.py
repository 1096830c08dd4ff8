"""The text of /metrics: npu-exporter's names, labels, units and value rules, and the agent's own npufleet_*.

Rendered once per view and served as bytes. Samples of an NPU that was not seen lately are withdrawn, never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from npu_agent import __version__, api
from npu_agent.probe.model import Number
from npu_agent.snapshot import NpuProcess, Sighting
from npu_agent.view import View

CONTENT_TYPE = CONTENT_TYPE_LATEST

_CHIP_LABELS = ("id", "model_name", "vdie_id", "pcie_bus_info", "namespace", "pod_name", "container_name")
_MAX_ERROR_CODES = 10
_SHARED = "not_displayed_for_multi_pod"


@dataclass(frozen=True)
class ContainerLabel:
    """The container that has an NPU. Plain Docker knows neither namespace nor pod: those labels stay empty."""

    container_id: str
    name: str


@dataclass(frozen=True)
class Sample:
    """One gauge of somebody else's; samples of one name must have the same label names."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Extra:
    """What the view does not know: containers by NPU (several where it is shared), and other gauges."""

    containers: Mapping[int, Sequence[ContainerLabel]] = field(default_factory=dict)
    gauges: Sequence[Sample] = ()


def render(view: View, extra: Optional[Extra] = None) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ViewCollector(view, extra or Extra()))
    return generate_latest(registry)


def age_lines(age_s: Optional[float]) -> bytes:
    """Write the one sample that is different at every scrape; it goes behind what `render` made."""
    if age_s is None:
        return b""
    name = "npufleet_snapshot_age_seconds"
    text = f"# HELP {name} time since npu-smi's last table arrived\n# TYPE {name} gauge\n{name} {age_s:.3f}\n"
    return text.encode()


class _ViewCollector(Collector):
    def __init__(self, view: View, extra: Extra) -> None:
        self._view = view
        self._extra = extra

    def collect(self) -> Iterable[Metric]:
        chips = [] if self._view.stale else [_Chip(s, self._extra) for s in self._view.sightings.values()]
        if not self._view.stale:
            yield from _machine_metrics(self._view, chips)
            yield from _chip_metrics(chips)
            yield from _process_metrics(chips, self._view)
            yield from _container_metrics(chips)
        yield from _own_metrics(self._view)
        yield from _extra_metrics(self._extra.gauges)


class _Chip:
    """A sighting with the labels that npu-exporter puts on everything."""

    def __init__(self, sighting: Sighting, extra: Extra) -> None:
        self.sighting = sighting
        self.chip = sighting.chip
        self.containers = extra.containers.get(sighting.npu, ())
        only = self.containers[0].name if len(self.containers) == 1 else ""
        shared = _SHARED if len(self.containers) > 1 else ""
        board = sighting.board
        full_name = [board.chip_name, board.chip_type, board.chip_version] if board else []
        self.model = "-".join(filter(None, full_name)) if full_name and all(full_name) else self.chip.name or ""
        vdie = "-".join((board.vdie_id if board and board.vdie_id else "").split())
        self.values = [str(sighting.npu), self.model, vdie, self.chip.bus_id or "", shared, shared, only or shared]

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.sighting.codes.codes if self.sighting.codes else None) or ()

    def health(self) -> Number:
        """1 healthy, 0 not, -1 where the tool could not tell."""
        if self.chip.health in (None, "UNKNOWN"):
            return -1
        return 1 if self.chip.health == "OK" else 0

    def hbm_percent(self) -> Optional[Number]:
        used, total = self.chip.hbm_used_mb, self.chip.hbm_total_mb
        return None if used is None or not total else round(100 * used / total)


# Name, help and reading of each quantity that npu-smi tells. A reading that is not known gives no sample.
_QUANTITIES: tuple[tuple[str, str, Callable[[_Chip], Optional[Number]]], ...] = (
    ("npu_chip_info_health_status", "the npu health status", _Chip.health),
    ("npu_chip_info_utilization", "the ai core utilization", lambda c: c.chip.aicore_percent),
    ("npu_chip_info_overall_utilization", "the overall utilization of npu", lambda c: c.chip.npu_util_percent),
    ("npu_chip_info_temperature", "the npu temperature", lambda c: c.chip.temperature_c),
    ("npu_chip_info_power", "the npu power", lambda c: c.chip.power_w),
    ("npu_chip_info_used_memory", "the npu used memory", lambda c: c.chip.memory_used_mb),
    ("npu_chip_info_total_memory", "the npu total memory", lambda c: c.chip.memory_total_mb),
    ("npu_chip_info_hbm_used_memory", "the npu hbm used memory", lambda c: c.chip.hbm_used_mb),
    ("npu_chip_info_hbm_total_memory", "the npu hbm total memory", lambda c: c.chip.hbm_total_mb),
    ("npu_chip_info_hbm_utilization", "the npu hbm utilization", _Chip.hbm_percent),
)


def _machine_metrics(view: View, chips: Sequence[_Chip]) -> Iterator[Metric]:
    healths = [chip.health() for chip in chips]
    cards = {chip.sighting.card for chip in chips if chip.sighting.card is not None}
    yield _single("machine_npu_nums", "Amount of npu installed on the machine.", len(chips))
    yield _single("machine_card_nums", "Amount of card installed on the machine.", len(cards))
    yield _single("machine_healthy_npu_nums", "Amount of healthy npu on the machine.", healths.count(1))
    yield _single("machine_unhealthy_npu_nums", "Amount of unhealthy npu on the machine.", healths.count(0))
    unknown = "Amount of the npus whose health status cannot be obtained on the machine."
    yield _single("machine_unknown_npu_nums", unknown, healths.count(-1))
    base = GaugeMetricFamily("node_base_info", "the common information of this node", labels=_BASE_LABELS)
    base.add_metric([__version__, view.driver_version or ""], 1)
    yield base


_BASE_LABELS = ("exporterVersion", "driverVersion")


def _chip_metrics(chips: Sequence[_Chip]) -> Iterator[Metric]:
    for name, text, reading in _QUANTITIES:
        family = GaugeMetricFamily(name, text, labels=_CHIP_LABELS)
        for chip in chips:
            value = reading(chip)
            if value is not None:
                family.add_metric(chip.values, value)
        if family.samples:
            yield family
    names = GaugeMetricFamily(
        "npu_chip_info_name", "the Ascend npu name with value '1'", labels=("id", "name", *_CHIP_LABELS[2:])
    )
    for chip in chips:
        names.add_metric(chip.values, 1)
    yield names
    yield from _error_codes(chips)


def _error_codes(chips: Sequence[_Chip]) -> Iterator[Metric]:
    """Give each code of a chip a metric of its own, as a decimal number; a chip without codes has no sample."""
    for index in range(_MAX_ERROR_CODES):
        name = f"npu_chip_info_error_code_{index}" if index else "npu_chip_info_error_code"
        family = GaugeMetricFamily(name, "the npu error code", labels=_CHIP_LABELS)
        for chip in chips:
            if index < len(chip.codes):
                family.add_metric(chip.values, int(chip.codes[index], 16))
        if family.samples:
            yield family


def _process_metrics(chips: Sequence[_Chip], view: View) -> Iterator[Metric]:
    """Count processes only where the whole table arrived: a missing row is not an idle NPU."""
    by_npu: dict[Optional[int], list[NpuProcess]] = {}
    for process in view.processes:
        by_npu.setdefault(process.npu, []).append(process)
    labels = (*_CHIP_LABELS, "process_id", "container_id")
    info = GaugeMetricFamily("npu_chip_info_process_info", "the npu process info, unit is 'MB'", labels=labels)
    count = GaugeMetricFamily("npu_chip_info_process_info_num", "the npu process num", labels=_CHIP_LABELS)
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


def _container_metrics(chips: Sequence[_Chip]) -> Iterator[Metric]:
    labels = ("npuID", *_CHIP_LABELS[1:], "containerID", "containerName")
    info = GaugeMetricFamily("npu_container_info", "the container name and deviceID relationship", labels=labels)
    for chip in chips:
        for container in chip.containers:
            info.add_metric([*chip.values, container.container_id, container.name], 1)
    held = [chip for chip in chips if len(chip.containers) == 1]
    yield info
    for name, text, reading in (
        ("container_npu_utilization", "npu ai core utilization in container, unit is '%'", _QUANTITIES[1][2]),
        ("container_npu_used_memory", "the npu used memory in container, unit is 'MB'", _container_used),
        ("container_npu_total_memory", "npu total memory in container, unit is 'MB'", _container_total),
    ):
        family = GaugeMetricFamily(name, text, labels=_CHIP_LABELS)
        for chip in held:
            value = reading(chip)
            if value is not None:
                family.add_metric(chip.values, value)
        yield family


def _container_used(chip: _Chip) -> Optional[Number]:
    return chip.chip.hbm_used_mb if chip.chip.hbm_total_mb else chip.chip.memory_used_mb


def _container_total(chip: _Chip) -> Optional[Number]:
    return chip.chip.hbm_total_mb or chip.chip.memory_total_mb


def _own_metrics(view: View) -> Iterator[Metric]:
    build = GaugeMetricFamily("npufleet_build_info", "version of the agent, with value 1", labels=("version", "api"))
    build.add_metric([__version__, api.API_VERSION], 1)
    yield build
    yield _single("npufleet_snapshot_stale", "1 where the last table is too old to be believed", int(view.stale))
    yield _single("npufleet_ready", "1 where the node may be given work", int(view.ready))
    yield _states(view.components)
    yield _by_label("npufleet_probe_duration_seconds", "last duration of a question", "question", view.probe.durations)
    yield _counts("npufleet_probe_runs", "questions asked since start", "question", view.probe.runs)
    yield _counts("npufleet_probe_errors", "answers that could not be used", "class", view.probe.errors)
    stuck = "tools that hang in the kernel and cannot be killed"
    yield _single("npufleet_probe_unkillable_children", stuck, view.probe.unkillable)


def _states(components: Iterable[api.Component]) -> Metric:
    """Give every component all states, one of them 1: a query need not know which there are."""
    labels = ("component", "state")
    family = GaugeMetricFamily("npufleet_component_state", "1 for the state a component is in", labels=labels)
    for component in components:
        for state in api.HEALTH_STATES:
            family.add_metric([component.name, state], int(state == component.state))
    return family


def _single(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for key in sorted(values):
        family.add_metric([key], values[key])
    return family


def _counts(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for key in sorted(values):
        family.add_metric([key], values[key])
    return family


def _extra_metrics(samples: Sequence[Sample]) -> Iterator[Metric]:
    families: dict[str, GaugeMetricFamily] = {}
    for sample in samples:
        names = tuple(sorted(sample.labels))
        family = families.setdefault(sample.name, GaugeMetricFamily(sample.name, sample.help, labels=names))
        family.add_metric([sample.labels[name] for name in names], sample.value)
    yield from families.values()
