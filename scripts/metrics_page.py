#!/usr/bin/env python3
"""Write docs/reference/metrics.md from what the agent renders and from npu_exporter.tsv; --check only compares."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from npu_agent import api, metrics, publisher, quantities
from npu_agent.api import Lease, Workload
from npu_agent.probe.detail import Board
from npu_agent.probe.hccn import LinkStat, Optical
from npu_agent.probe.model import Chip
from npu_agent.snapshot import Codes, NpuProcess, Port, Readings, Sighting
from npu_agent.view import ProbeStats, View
from npu_agent.watch import DockerState

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs/reference/npu_exporter.tsv"
PAGE = ROOT / "docs/reference/metrics.md"
CODES = tuple(f"80E0180{digit}" for digit in range(10))
REASONS = {
    "hccn_tool": "hccn_tool tells it and is not asked for it: every question about every port is a start of the tool",
    "dcmi": "only the driver's DCMI library tells it, which opens the device; the agent does not",
    "other-hardware": "of the 350 and 950 families' ports, which npu-smi does not show",
    "vnpu": "of virtual NPUs: the agent leases whole NPUs",
    "other-program": "the version of npu-exporter itself; `npufleet_build_info` has the agent's",
}
HEAD = """# Metrics

`GET /metrics` needs the view token. The page is made once for every round of the probe, and a scrape is given those
bytes: no scrape runs a tool, however many Prometheus servers ask. Made by `scripts/metrics_page.py`.

- What is not known has no sample. It is never 0. Only `npu_chip_info_health_status` has a word for it: -1.
- When npu-smi's last table is older than three intervals, every sample of an NPU is withdrawn:
  `npufleet_snapshot_stale` is 1 and `npufleet_snapshot_age_seconds` tells how old the table is. That age has no sample
  before the first table.
- `id` is the physical id, N of `/dev/davinciN`.
- `container_name` is Docker's name of the container that has the NPU. Plain Docker has no pods: `pod_name` and
  `namespace` are empty. Where several containers have one NPU all three are `not_displayed_for_multi_pod`, as
  npu-exporter writes it, and `npu_container_info` has a sample for each of them.
- Samples carry no time of their own: they are of the last round. Answers to `info -t ...` and of hccn_tool come by
  turns: `npufleet_reading_age_seconds` tells how old the oldest is, and one whose turn was missed three times is
  withdrawn.
- An NPU without a port, or a node without hccn_tool, has no sample of a port.
- Error codes are decimal numbers, as in npu-exporter: `printf '%X\\n' 2162169857` gives 80E01801.

A scrape configuration:

    scrape_configs:
      - job_name: npufleet
        scheme: https
        authorization: {credentials_file: /etc/prometheus/npufleet.token}
        tls_config: {ca_file: /etc/prometheus/npufleet-ca.crt}
        static_configs: [{targets: ["train-01:7443"]}]

Every node has a token of its own ([how it is made](agent-api.md#tokens)), so every node is an entry of its own.
"""


def everything() -> View:
    """A view in which every quantity is known."""
    numbers: dict[str, dict[str, float | int | None]] = {
        "ecc": {
            f"hbm {kind} bit {what}": 0
            for kind in ("single", "double")
            for what in ("error count", "aggregate total err cnt", "isolated pages count")
        },
        "usages": {"hbm bandwidth usage rate(%)": 0},
        "common": {"aicore curfreq(mhz)": 800},
        "memory": {"hbm temperature(c)": 52},
    }
    row = Chip(
        npu_id=0, chip_id=0, name="910B3", health="Alarm", power_w=93.2, temperature_c=47, bus_id="0000:C1:00.0",
        aicore_percent=0, npu_util_percent=0, memory_used_mb=0, memory_total_mb=0, hbm_used_mb=1, hbm_total_mb=65536,
    )  # fmt: skip
    sighting = Sighting(
        0, 0, 0, row, 0.0, "", Codes("Alarm", CODES), Board(serial_number="S1"),
        {question: Readings(values, 0.0) for question, values in numbers.items()},
    )  # fmt: skip
    lanes = (1.4, 1.4, 1.4, 1.4)
    sides = ("link", "net_health", "stat", "link_stat", "optical")
    port = Port(
        "UP", "Success", counters=dict.fromkeys((key for _, key in quantities.COUNTERS), 0), link_stat=LinkStat(2, 1),
        optical=Optical(True, temperature_c=47, vcc_mv=3262.9, tx_power_mw=lanes, rx_power_mw=lanes),
        taken_at=dict.fromkeys(sides, 0.0),
    )  # fmt: skip
    holder = api.Holder("container", "train")
    return View(
        "n", components=(api.Component("npu/0", api.UNHEALTHY, "", "reset-npu"),), stale=False, sightings={0: sighting},
        network={0: port},
        npus=(api.Npu(0, state=api.UNHEALTHY, reason="", holder=holder),), processes_complete=True,
        processes=(NpuProcess(0, 0, 0, 4711, "python", 1024),), driver_version="24.1.0",
        probe=ProbeStats({"info": 0.3}, {"info": 1}, {"timeout": 1}),
    )  # fmt: skip


def families() -> dict[str, Metric]:
    """Everything that can be on the page, by name as it is served."""
    progress = api.Progress(iteration=1, loss=1.0, iteration_ms=1.0, tokens_per_second_per_npu=1.0)
    shown = [Workload("job", {}, npus=[0], state=api.RUNNING, progress=progress)]
    leases = [Lease(0, "job", "", "held")]
    extra = publisher.metrics_extra([0], DockerState(), shown, leases, {"npu/0": ["hot would say degraded, none: x"]})
    containers = {0: [quantities.ContainerLabel("abc", "train")]}
    body = metrics.render(everything(), metrics.Extra(containers, extra.samples)) + metrics.age_lines(1.0)
    found = text_string_to_metric_families(body.decode())
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in found}


def labels_of(family: Metric) -> list[str]:
    return sorted(family.samples[0].labels) if family.samples else []


def rows() -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def page() -> str:
    return "\n".join([HEAD, *_own(), "", *_served(), "", *_not_served()]) + "\n"


def _own() -> Iterator[str]:
    yield "## The agent's own\n\n| name | type | labels | |\n|---|---|---|---|"
    for name, family in sorted(families().items()):
        if name.startswith(("npufleet_", "process_")):
            labels = ", ".join(f"`{label}`" for label in labels_of(family))
            yield f"| `{name}` | {family.type} | {labels} | {family.documentation} |"


def _served() -> Iterator[str]:
    chip = ", ".join(f"`{label}`" for label in quantities.CHIP_LABELS)
    yield f'## As npu-exporter has them\n\nAll are gauges. "chip" stands for the labels {chip}.\n'
    yield "| name | unit | labels | told by |\n|---|---|---|---|"
    for row in rows():
        if row["served"] == "yes":
            labels = row["labels"].replace(",".join(quantities.CHIP_LABELS), "chip").replace(",", ", ")
            yield f"| `{row['name']}` | {row['unit']} | {labels} | {row['source']} |"


def _not_served() -> Iterator[str]:
    yield "## What npu-exporter has and this agent does not serve"
    for key, reason in REASONS.items():
        names = dict.fromkeys(row["name"] for row in rows() if row["served"] == "no" and row["source"] == key)
        yield f"\n{reason[0].upper()}{reason[1:]}:\n"
        yield ", ".join(f"`{name}`" for name in names) + "."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; 1 where the page is old")
    if parser.parse_args().check:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
