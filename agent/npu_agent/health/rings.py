"""What a reset takes along: an NPU is never reset alone where its chips are wired to a ring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Optional

from npu_agent import api
from npu_agent.health.rules import Rules, kind

RESETS = ("reset-npu", "reset-npu-when-idle")


def ring(npu: api.Npu, npus: Sequence[api.Npu], size: int) -> list[int]:
    """List the NPUs of the ring: the chips of one card where it is the card, else the group of so many."""
    if size == 1:
        return [npu.npu]
    if npu.card is not None and sum(1 for other in npus if other.card == npu.card) == size:
        return [other.npu for other in npus if other.card == npu.card]
    return [other.npu for other in npus if other.npu // size == npu.npu // size]


def advise(components: Iterable[api.Component], npus: Sequence[api.Npu], by: Rules) -> list[api.Component]:
    """Say at every advised reset which NPUs it takes along, and whose work it would hit."""
    known = {npu.npu: npu for npu in npus}
    chip = next((npu.name for npu in npus if npu.name), None)
    return [_advised(component, known, npus, by, chip) for component in components]


def _advised(
    component: api.Component, known: dict[int, api.Npu], npus: Sequence[api.Npu], by: Rules, chip: Optional[str]
) -> api.Component:
    number = component.name.partition("/")[2]
    if component.action not in RESETS or kind(component.name) != "npu" or int(number) not in known:
        return component
    npu = known[int(number)]
    size = by.ring_of(npu.name or chip)
    if size is None:
        advice = f"resetting NPU {npu.npu} may take other NPUs along: the ring of this chip is not known"
        return replace(component, advice=advice)
    members = ring(npu, npus, size)
    hits = sorted({holder.sentence() for one in members if (holder := known[one].holder) is not None})
    return replace(component, advice=_sentence(npu.npu, members, len(npus), hits), resets=members, hits=hits)


def _sentence(npu: int, members: Sequence[int], count: int, hits: Sequence[str]) -> str:
    named = ", ".join(map(str, members))
    what = f"all {count}" if len(members) == count and count > 1 else named
    words = f"resetting NPU {npu} resets {what}" if len(members) > 1 else f"resetting NPU {npu} resets no other NPU"
    return f"{words}; it would hit {', '.join(hits)}" if hits else f"{words}; nobody is known to use what it resets"
