"""How the NPUs of a node are joined: `npu-smi info -t topo` and `-t hccs`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from npu_agent.probe import table, values
from npu_agent.probe.blocks import first_values

SELF = "X"
LINKS = (SELF, "HCCS", "HCCS_SW", "SIO", "UB", "PIX", "PXB", "PHB", "SYS", "NA")

_LABEL = re.compile(r"(?:NPU|Phy-ID)\d{1,4}", re.ASCII)
_CPUS = re.compile(r"\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*", re.ASCII)
_LIST = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True)
class Topology:
    """Labels are those that the tool prints: NPUn, or Phy-IDn where a card has two chips.

    A pair whose two directions are not printed alike is left out: one of them was damaged.
    """

    labels: tuple[str, ...] = ()
    links: Mapping[tuple[str, str], str] = field(default_factory=dict)
    cpus: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True)
class Hccs:
    """`-t hccs`: the ring's health word, and per counter one number a link."""

    health: Optional[str] = None
    counters: Mapping[str, tuple[Optional[int], ...]] = field(default_factory=dict)


def parse_topology(text: str) -> Topology:
    """Read the first matrix of the text."""
    labels: tuple[str, ...] = ()
    rows: dict[str, list[str]] = {}
    doubled: set[str] = set()
    for line in table.plain(text):
        words = line.split()
        header = _header(words)
        if header and labels:
            break
        if header:
            labels = header
        elif words and words[0] in labels:
            doubled |= {words[0]} & set(rows)
            rows[words[0]] = words[1:]
    good = {label: rows[label] for label in labels if label in rows and label not in doubled}
    links = _links(labels, {label: cells for label, cells in good.items() if _fits(cells, len(labels))})
    cpus = {label: cells[-1] for label, cells in good.items() if _has_cpus(cells, len(labels))}
    return Topology(labels, links, cpus, complete=bool(labels) and len(links) == len(labels) ** 2)


def _header(words: list[str]) -> tuple[str, ...]:
    names = words[:-2] if words[-2:] == ["CPU", "Affinity"] else words
    whole = all(_LABEL.fullmatch(name) for name in names) and len(set(names)) == len(names)
    return tuple(names) if names and whole else ()


def _fits(cells: list[str], count: int) -> bool:
    return all(cell in LINKS for cell in cells[:count]) and (len(cells) == count or _has_cpus(cells, count))


def _has_cpus(cells: list[str], count: int) -> bool:
    return len(cells) == count + 1 and _CPUS.fullmatch(cells[-1]) is not None


def _links(labels: tuple[str, ...], rows: Mapping[str, list[str]]) -> dict[tuple[str, str], str]:
    printed = {(label, other): word for label, cells in rows.items() for other, word in zip(labels, cells)}
    return {
        pair: word
        for pair, word in printed.items()
        if printed.get((pair[1], pair[0])) == word and (pair[0] == pair[1]) == (word == SELF)
    }


def parse_hccs(text: str) -> Hccs:
    found = first_values(text)
    lists = ((key, _LIST.fullmatch(value)) for key, value in found.items() if key.startswith("hccs "))
    counters = {key[5:]: tuple(values.count(word) for word in match.group(1).split()) for key, match in lists if match}
    return Hccs(found.get("hccs health status") or None, counters)
