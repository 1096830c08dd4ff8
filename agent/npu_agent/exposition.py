"""Prometheus' text format, as prometheus_client writes it; a chip's labels are written once, not for every sample.

A page of sixteen NPUs has more than a thousand samples with few different labels: this takes a third of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import Metric
from prometheus_client.utils import floatToGoString


def text(families: Iterable[Metric]) -> bytes:
    """Write gauges and counters with plain names and without times, which is all that the agent serves."""
    known: dict[tuple[tuple[str, str], ...], str] = {}
    lines: list[str] = []
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        words = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
        lines += [f"# HELP {name} {words}", f"# TYPE {name} {family.type}"]
        for sample in family.samples:
            key = tuple(sample.labels.items())
            labels = known.get(key)
            if labels is None:
                labels = known[key] = _labels(sample.labels)
            number = floatToGoString(sample.value)  # type: ignore[no-untyped-call]  # prometheus_client types it not
            lines.append(f"{sample.name}{labels} {number}")
    return "".join(line + "\n" for line in lines).encode()


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items())) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
