"""What npu-smi tells of a chip beside its table: one more question a round, by turns, so that the node is asked little.

Sixteen NPUs and four questions come round in five minutes when a round takes five seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional

from npu_agent.clock import Clock
from npu_agent.probe.detail import parse_numbers
from npu_agent.probe.model import Number
from npu_agent.probe.tools import NpuSmi

if TYPE_CHECKING:
    from npu_agent.snapshot import Sighting

QUESTIONS = ("ecc", "usages", "common", "memory")
KEPT_S = 900.0  # an answer older than this is not known any more


@dataclass(frozen=True)
class Reading:
    """One answer: every number by its key, lower-cased and with its unit, None where npu-smi printed no number."""

    values: Mapping[str, Optional[Number]]
    taken_at: float


@dataclass
class Rounds:
    clock: Clock
    interval_s: float
    _known: dict[tuple[int, str], Reading] = field(default_factory=dict)

    def of(self, npu: int) -> Mapping[str, Reading]:
        oldest = self.clock.monotonic() - KEPT_S
        found = {question: self._known.get((npu, question)) for question in QUESTIONS}
        return {question: seen for question, seen in found.items() if seen is not None and seen.taken_at >= oldest}

    def ask_next(self, seen: Mapping[int, Sighting], smi: NpuSmi, until: float) -> None:
        """Ask the question that was not asked for longest, if its turn has come and the round has room for it.

        A refusal is an answer too, without a number: hardware that cannot tell is not asked again at once.
        """
        now = self.clock.monotonic()
        due = [(self._taken_at(npu, question), npu, question) for npu in sorted(seen) for question in QUESTIONS]
        taken_at, npu, question = min(due, default=(now, 0, ""))
        if now >= until or now - taken_at < self.interval_s:
            return
        sighting = seen[npu]
        address = ["-i", str(sighting.card)]
        if sighting.chip.chip_id is not None:
            address += ["-c", str(sighting.chip.chip_id)]
        answer = smi.ask("info", "-t", question, *address)
        self._known[npu, question] = Reading(parse_numbers(answer.text or ""), now)

    def _taken_at(self, npu: int, question: str) -> float:
        known = self._known.get((npu, question))
        return known.taken_at if known else float("-inf")
