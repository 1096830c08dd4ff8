"""The slow tier: what `npu-smi info` does not tell is asked for by turns, so that no round lasts long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Optional

from npu_agent.clock import Clock
from npu_agent.probe import mapping as chip_mapping
from npu_agent.probe import model
from npu_agent.probe.detail import Board, HealthDetail, parse_board, parse_health
from npu_agent.probe.model import Chip
from npu_agent.probe.tools import Tool
from npu_agent.readings import chip_address
from npu_agent.snapshot import Codes, Sighting

# A question about one chip takes a third of a second.
_SICK_PER_ROUND = 8
_QUIET_PER_ROUND = 2


@dataclass
class MappingKeeper:
    """Knows which card and chip is which NPU."""

    mapping: chip_mapping.Mapping = field(default_factory=chip_mapping.Mapping)
    _asked_for: Optional[frozenset[tuple[Optional[int], Optional[int]]]] = None

    def refresh(self, chips: Iterable[Chip], smi: Tool, *, slow: bool) -> bool:
        """Ask when cards came or went, and now and then; where the table tells the physical id, never.

        Return whether the tool was asked.
        """
        unnamed = [chip for chip in chips if chip.phy_id is None]
        cards = frozenset((chip.npu_id, chip.chip_id) for chip in unnamed)
        if not unnamed or (cards == self._asked_for and not slow):
            return False
        found = chip_mapping.parse_mapping(smi.ask("info", "-m").text or "")
        if found.problems or not found.rows:
            smi.stats.count_error(model.GARBAGE)
        else:
            self.mapping, self._asked_for = found, cards
        return True

    def npu_of(self, chip: Chip) -> Optional[int]:
        if chip.phy_id is not None or chip.npu_id is None:
            return chip.phy_id
        return self.mapping.npu_of(chip.npu_id, chip.chip_id)


@dataclass
class ChipInquiry:
    """Error codes of single chips: the sick ones every round, the quiet ones in turn. Boards: once."""

    clock: Clock
    interval_s: float
    boards: dict[int, Board] = field(default_factory=dict)
    timed_out: bool = False

    def ask(self, seen: Mapping[int, Sighting], smi: Tool, until: float) -> dict[int, Sighting]:
        """Return the sightings with what was learned.

        One question is asked in any case; the next only where it is likely to end before `until`, so that a slow tool
        does not make the table itself old. A call that hangs ends the round. Where a chip has a new word, nothing is
        asked but the codes behind it.
        """
        found, self.timed_out = dict(seen), False
        for number, sighting in enumerate(self._queue(seen.values())):
            words = ("info", "-t", "health", *chip_address(sighting))
            if number and self.clock.monotonic() + smi.likely_s(*words) > until:
                return found
            answer = smi.ask(*words)
            codes = _learned(sighting.codes, parse_health(answer.text or ""), self.clock.monotonic())
            found[sighting.npu] = replace(sighting, codes=codes)
            self.timed_out = answer.timed_out
            if answer.timed_out:
                return found
        if self.clock.monotonic() < until and not has_news(seen.values()):
            self._ask_next_board(seen, smi)
        return found

    def _queue(self, seen: Iterable[Sighting]) -> list[Sighting]:
        sightings = list(seen)
        sick = [sighting for sighting in sightings if _is_sick(sighting)]
        if has_news(sick):
            return sick[:_SICK_PER_ROUND]
        quiet = sorted((s for s in sightings if not _is_sick(s) and self._due(s)), key=_last_asked)
        return sick[:_SICK_PER_ROUND] + quiet[:_QUIET_PER_ROUND]

    def _due(self, sighting: Sighting) -> bool:
        return self.clock.monotonic() - _last_asked(sighting) >= self.interval_s

    def _ask_next_board(self, seen: Mapping[int, Sighting], smi: Tool) -> None:
        unknown = [npu for npu in sorted(seen) if npu not in self.boards]
        if unknown:
            answer = smi.ask("info", "-t", "board", *chip_address(seen[unknown[0]]))
            self.timed_out = answer.timed_out
            self.boards[unknown[0]] = parse_board(answer.text or "")


def _learned(before: Optional[Codes], detail: HealthDetail, now: float) -> Codes:
    """A question without a usable answer takes no code back: only npu-smi's own word that there is none does."""
    if detail.codes is None and before is not None and before.codes:
        return replace(before, taken_at=now)
    return Codes(detail.health, detail.codes, detail.information, now)


def has_news(sightings: Iterable[Sighting]) -> bool:
    """Tell whether a chip is not well and nobody has asked yet why."""
    return any(_is_sick(sighting) and sighting.codes is None for sighting in sightings)


def _is_sick(sighting: Sighting) -> bool:
    """A code may outlive its word, and be gone with the next answer."""
    return sighting.chip.health not in ("OK", None) or bool(sighting.codes and sighting.codes.codes)


def _last_asked(sighting: Sighting) -> float:
    return sighting.codes.taken_at if sighting.codes else float("-inf")
