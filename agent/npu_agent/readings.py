"""The slowest tier: counters and network ports, one question after the other, each NPU in its turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from npu_agent.clock import Clock, iso
from npu_agent.probe import hccn, topology
from npu_agent.probe.detail import parse_numbers
from npu_agent.probe.tools import Answer, Tool
from npu_agent.snapshot import Port, Readings, Sighting

# What a tool does not support today it will not support in a minute; a new driver restarts the agent or the cards.
_UNSUPPORTED_TIMES = 30
_PATIENCE = 0.25  # of a slow interval
_KEPT_TURNS = 3


@dataclass(frozen=True)
class Tools:
    """`hccn` is None where the node has no hccn_tool: an inference card has no port."""

    smi: Tool
    hccn: Optional[Tool] = None


@dataclass(frozen=True)
class _Question:
    """`every` counts slow intervals between two answers about the same NPU."""

    words: str
    every: int
    learn: Optional[Callable[[str], dict[str, Any]]] = None

    @property
    def of_port(self) -> bool:
        return self.learn is not None


_TOPOLOGY = _Question("topo", 60)
_OF_CHIPS = (_Question("usages", 3), _Question("ecc", 5), _Question("common", 5), _Question("memory", 5))
_OF_PORTS = (
    _Question("-link", 1, lambda text: {"link": hccn.parse_hccn_link(text)}),
    _Question("-net_health", 2, lambda text: {"net_health": hccn.parse_hccn_net_health(text)}),
    _Question("-ip", 10, lambda text: dataclasses.asdict(hccn.parse_hccn_ip(text))),
    _Question("-stat", 3, lambda text: {"counters": hccn.parse_hccn_stat(text)}),
    _Question("-link_stat", 10, lambda text: {"link_stat": hccn.parse_hccn_link_stat(text)}),
    _Question("-optical", 10, lambda text: {"optical": hccn.parse_hccn_optical(text)}),
)


def limits_s(interval_s: float) -> dict[str, float]:
    """Tell by question how old an answer may be and still be told: when three turns were missed, nobody knows."""
    return {
        question.words.lstrip("-"): _KEPT_TURNS * question.every * interval_s for question in (*_OF_PORTS, *_OF_CHIPS)
    }


@dataclass
class ReadingInquiry:
    """Asks what is most overdue first. Its answers are kept here, each with the time when it was given."""

    clock: Clock
    interval_s: float
    network: dict[int, Port] = field(default_factory=dict)
    readings: dict[int, Mapping[str, Readings]] = field(default_factory=dict)
    topology: Optional[topology.Topology] = None
    _asked_at: float = float("-inf")
    _due: dict[tuple[str, Optional[int]], float] = field(default_factory=dict)

    def ask(self, seen: Mapping[int, Sighting], tools: Tools, until: float) -> bool:
        """Ask what is likely to end before `until`; now and then one question in any case, where the tools are slow.

        False where a question did not end in time.
        """
        for question, sighting in self._queue(seen, tools):
            tool = tools.hccn if question.of_port else tools.smi
            if tool is None:
                continue
            arguments = _arguments(question, sighting)
            now = self.clock.monotonic()
            if now + tool.likely_s(*arguments) > until and now < self._asked_at + self.interval_s * _PATIENCE:
                break
            self._asked_at = now
            answer = tool.ask(*arguments)
            self._take(question, sighting, answer)
            if answer.timed_out:
                return False
        return True

    def of(self, npu: int) -> Mapping[str, Readings]:
        return self.readings.get(npu, {})

    def _queue(self, seen: Mapping[int, Sighting], tools: Tools) -> list[tuple[_Question, Sighting]]:
        now = self.clock.monotonic()
        questions = _OF_CHIPS if tools.hccn is None else (*_OF_PORTS, *_OF_CHIPS)
        asked = [(question, sighting) for question in questions for sighting in seen.values()]
        asked += [(_TOPOLOGY, sighting) for sighting in list(seen.values())[:1]]  # it is about all of them
        due = [(not self._was_bad(*pair), self._due.get(_key(*pair), 0.0), index) for index, pair in enumerate(asked)]
        return [asked[index] for _, when, index in sorted(due) if when <= now]

    def _was_bad(self, question: _Question, sighting: Sighting) -> bool:
        """What keeps work away is asked first when it is due: counters must not delay that a port is well again."""
        port = self.network.get(sighting.npu, Port())
        link_down = question.words == "-link" and port.link not in (None, hccn.LINK_GOOD)
        return link_down or (question.words == "-net_health" and port.net_health not in (None, hccn.NET_HEALTH_GOOD))

    def _take(self, question: _Question, sighting: Sighting, answer: Answer) -> None:
        now = self.clock.monotonic()
        times = _UNSUPPORTED_TIMES if answer.unsupported else question.every
        self._due[_key(question, sighting)] = now + times * self.interval_s
        if question is _TOPOLOGY:
            self.topology = topology.parse_topology(answer.text) if answer.text else None
        elif question.learn is not None:
            self._take_port(question.words, sighting.npu, question.learn(answer.text or ""), now)
        else:
            numbers = parse_numbers(answer.text) if answer.text else {}
            self.readings[sighting.npu] = {**self.of(sighting.npu), question.words: Readings(numbers, now)}

    def _take_port(self, words: str, npu: int, learned: Mapping[str, Any], now: float) -> None:
        """A port about which the tool fell silent is not described by what it said before."""
        before = self.network.get(npu, Port())
        taken_at = {**before.taken_at, words.lstrip("-"): now}
        self.network[npu] = replace(before, taken_at=taken_at, observed_at=iso(self.clock.now()), **learned)


def _key(question: _Question, sighting: Sighting) -> tuple[str, Optional[int]]:
    return question.words, None if question is _TOPOLOGY else sighting.npu


def chip_address(sighting: Sighting) -> list[str]:
    """Name a chip as npu-smi wants it; the newest generation knows no chips below a card."""
    address = ["-i", str(sighting.card)]
    return address if sighting.chip.chip_id is None else [*address, "-c", str(sighting.chip_id)]


def _arguments(question: _Question, sighting: Sighting) -> list[str]:
    if question.of_port:
        return ["-i", str(sighting.npu), question.words, "-g"]
    return ["info", "-t", question.words, *([] if question is _TOPOLOGY else chip_address(sighting))]
