"""The text of /metrics: npu-exporter's names, labels, units and value rules, and the agent's own npufleet_*.

Rendered once per view and served as bytes. Samples of an NPU that was not seen lately are withdrawn, never repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional, Union

from prometheus_client import CONTENT_TYPE_LATEST, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from npu_agent import __version__, api, exporter, exposition
from npu_agent.quantities import ContainerLabel
from npu_agent.view import View

__all__ = ["CONTENT_TYPE", "ContainerLabel", "Extra", "Sample", "age_lines", "render"]
CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True)
class Sample:
    """One sample of somebody else's; samples of one name must have the same label names.

    A counter only grows while the agent runs; its name is written without the _total that it is served with.
    """

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    counter: bool = False


@dataclass(frozen=True)
class Extra:
    """What the view does not know: containers by NPU (several where it is shared), and other samples."""

    containers: Mapping[int, Sequence[ContainerLabel]] = field(default_factory=dict)
    samples: Sequence[Sample] = ()


def render(view: View, extra: Optional[Extra] = None) -> bytes:
    return exposition.text(_families(view, extra or Extra()))


def age_lines(age_s: Optional[float]) -> bytes:
    """Write the one sample that is different at every scrape; it goes behind what `render` made."""
    if age_s is None:
        return b""
    name = "npufleet_snapshot_age_seconds"
    text = f"# HELP {name} time since npu-smi's last table arrived\n# TYPE {name} gauge\n{name} {age_s:.3f}\n"
    return text.encode()


def _families(view: View, extra: Extra) -> Iterator[Metric]:
    if not view.stale:
        yield from exporter.families(view, extra.containers)
    yield from _own_metrics(view)
    yield from _probe_metrics(view)
    yield from _extra_metrics(extra.samples)
    yield from ProcessCollector(registry=None).collect()  # what the agent itself costs the node


def _own_metrics(view: View) -> Iterator[Metric]:
    build = GaugeMetricFamily("npufleet_build_info", "version of the agent, with value 1", labels=("version", "api"))
    build.add_metric([__version__, api.API_VERSION], 1)
    yield build
    yield _single("npufleet_snapshot_stale", "1 where the last table is too old to be believed", int(view.stale))
    yield _single("npufleet_ready", "1 where the node may be given work", int(view.ready))
    yield _states(view.components)
    yield _actions(view.components)
    holders = GaugeMetricFamily(
        "npufleet_npu_holder", "1 for every NPU that somebody has, and who it is", labels=("npu", "kind", "name")
    )
    for npu in view.npus:
        if npu.holder is not None:
            holders.add_metric([str(npu.npu), npu.holder.kind, npu.holder.name], 1)
    yield holders


def _probe_metrics(view: View) -> Iterator[Metric]:
    yield _by_label("npufleet_probe_duration_seconds", "last duration of a question", "question", view.probe.durations)
    yield _counts("npufleet_probe_runs", "questions asked since start", "question", view.probe.runs)
    yield _counts("npufleet_probe_errors", "answers that could not be used", "class", view.probe.errors)
    stuck = "tools that hang in the kernel and cannot be killed"
    yield _single("npufleet_probe_unkillable_children", stuck, view.probe.unkillable)
    text = "age of the oldest answer about a chip or its port, when the last table arrived"
    yield _by_label("npufleet_reading_age_seconds", text, "question", _ages(view))


def _ages(view: View) -> dict[str, float]:
    answers = [(q, reading.taken_at) for one in view.sightings.values() for q, reading in one.readings.items()]
    answers += [answer for port in view.network.values() for answer in port.taken_at.items()]
    oldest: dict[str, float] = {}
    for question, taken_at in answers:
        oldest[question] = min(taken_at, oldest.get(question, taken_at))
    return {question: max(0.0, (view.observed_monotonic or at) - at) for question, at in oldest.items()}


def _states(components: Iterable[api.Component]) -> Metric:
    """Give every component all states, one of them 1: a query need not know which there are."""
    labels = ("component", "state")
    family = GaugeMetricFamily("npufleet_component_state", "1 for the state a component is in", labels=labels)
    for component in components:
        for state in api.HEALTH_STATES:
            family.add_metric([component.name, state], int(state == component.state))
    return family


def _actions(components: Iterable[api.Component]) -> Metric:
    labels = ("component", "action")
    text = "1 for a component that needs something done, and what"
    family = GaugeMetricFamily("npufleet_component_action", text, labels=labels)
    for component in components:
        if component.action != "none":
            family.add_metric([component.name, component.action], 1)
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
    families: dict[str, Union[GaugeMetricFamily, CounterMetricFamily]] = {}
    for sample in samples:
        names = tuple(sorted(sample.labels))
        if sample.name not in families:
            kind = CounterMetricFamily if sample.counter else GaugeMetricFamily
            families[sample.name] = kind(sample.name, sample.help, labels=names)
        families[sample.name].add_metric([sample.labels[name] for name in names], sample.value)
    yield from families.values()
