"""The live screen: what is shown of the fleet, by which order and filter, and what each key does to that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from npu_agent import api
from npufleet import survey
from npufleet.survey import NodeStatus, Summary

ORDERS = ("worst", "name", "free", "busy", "heat")
QUIT = "quit"
HELP = "q quit  s order  / filter  space pause  up/down scroll"


@dataclass(frozen=True)
class Screenful:
    """Everything that the keys change; frozen, so that a key is a function from one to the next."""

    order: str = ORDERS[0]
    filter: str = ""
    typing: bool = False
    paused: bool = False
    offset: int = 0
    ended: bool = False

    def press(self, key: str, page: int = 10) -> Screenful:
        if self.typing:
            return self._typed(key)
        plain: dict[str, Callable[[], Screenful]] = {
            "q": lambda: dataclasses.replace(self, ended=True),
            "s": lambda: dataclasses.replace(self, order=_after(self.order), offset=0),
            "/": lambda: dataclasses.replace(self, typing=True, filter="", offset=0),
            " ": lambda: dataclasses.replace(self, paused=not self.paused),
            "escape": lambda: dataclasses.replace(self, filter="", offset=0),
            "up": lambda: self._moved(-1),
            "k": lambda: self._moved(-1),
            "down": lambda: self._moved(1),
            "j": lambda: self._moved(1),
            "pageup": lambda: self._moved(-page),
            "pagedown": lambda: self._moved(page),
        }
        return plain.get(key, lambda: self)()

    def _typed(self, key: str) -> Screenful:
        if key == "enter":
            return dataclasses.replace(self, typing=False)
        if key == "escape":
            return dataclasses.replace(self, typing=False, filter="")
        if key == "backspace":
            return dataclasses.replace(self, filter=self.filter[:-1])
        return dataclasses.replace(self, filter=self.filter + key) if len(key) == 1 and key.isprintable() else self

    def _moved(self, rows: int) -> Screenful:
        return dataclasses.replace(self, offset=max(0, self.offset + rows))


def _after(order: str) -> str:
    return ORDERS[(ORDERS.index(order) + 1) % len(ORDERS)]


@dataclass(frozen=True)
class Load:
    """What a node's NPUs do, together; None where no NPU tells."""

    busy_percent: float | None
    hottest_c: float | None
    power_w: float | None
    hbm_percent: float | None


def load(npus: Sequence[api.Npu]) -> Load:
    busy = [npu.aicore_percent for npu in npus if npu.aicore_percent is not None]
    heat = [npu.temperature_c for npu in npus if npu.temperature_c is not None]
    power = [npu.power_w for npu in npus if npu.power_w is not None]
    memory = [(npu.hbm_used_mb, npu.hbm_total_mb) for npu in npus if npu.hbm_used_mb is not None and npu.hbm_total_mb]
    total = sum(total for _, total in memory if total)
    return Load(
        busy_percent=sum(busy) / len(busy) if busy else None,
        hottest_c=max(heat, default=None),
        power_w=sum(power) if power else None,
        hbm_percent=100 * sum(used for used, _ in memory) / total if total else None,
    )


@dataclass(frozen=True)
class Seen:
    """One sweep: when, what, and how long it took."""

    at: str
    took_s: float
    statuses: Sequence[NodeStatus]
    summary: Summary
    notices: tuple[str, ...] = ()


def chosen(seen: Seen, screen: Screenful) -> list[NodeStatus]:
    """Filter by name, state, group, workload or reason; order as asked, and worst first where equal."""
    word = screen.filter.lower()
    found = [status for status in seen.statuses if word in _searched(status)]
    return sorted(found, key=lambda status: _key(status, screen.order))


def _searched(status: NodeStatus) -> str:
    words = [status.node.name, status.state, *status.node.groups, *status.running]
    return " ".join([*words, *(reason.text for reason in status.reasons)]).lower()


def _key(status: NodeStatus, order: str) -> tuple[object, ...]:
    """What is not known comes last, whatever the order."""
    now = load(status.npus)
    measure = {
        "free": float(len(status.free)) if status.facts else None,
        "busy": now.busy_percent,
        "heat": now.hottest_c,
    }
    if order == "name":
        return (survey.natural(status.node.name),)
    if order in measure:
        value = measure[order]
        return (value is None, -(value or 0.0), survey.rank(status))
    return (survey.rank(status),)
