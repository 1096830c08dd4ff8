"""The text is prometheus_client's, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from npu_agent import exposition

ODD = 'a "quoted" \\ word\nand a line é'


class Families(Collector):
    def collect(self) -> Iterator[Metric]:
        gauge = GaugeMetricFamily("npu_x", ODD, labels=("zone", "id", "name"))
        for number in (0, 1, 93.2, -1, 4.5e-7, 123456789012.0, float("inf"), float("nan")):
            gauge.add_metric(["z", "0", ODD], number)
        gauge.add_metric(["z", "1", ""], 2162169857)
        yield gauge
        yield GaugeMetricFamily("plain", "no labels", value=3)
        counter = CounterMetricFamily("errors", "counted", labels=("class",))
        counter.add_metric(["timeout"], 2)
        yield counter
        yield GaugeMetricFamily("empty", "nobody", labels=("a",))


def test_it_writes_what_prometheus_client_writes() -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families())
    assert exposition.text(Families().collect()) == generate_latest(registry)


def test_so_for_what_a_process_costs() -> None:
    registry = CollectorRegistry(auto_describe=False)
    collector = ProcessCollector(registry=registry)
    families = list(collector.collect())
    written = [line.split(" ")[:3] for line in exposition.text(families).decode().splitlines() if line[0] == "#"]
    known = [line.split(" ")[:3] for line in generate_latest(registry).decode().splitlines() if line[0] == "#"]
    assert written == known
