"""When which fault was seen on what: the memory of rules about time. It outlives the agent and the node's boots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

_KEPT_EACH = 16
_KEPT_MARKS = 64


@dataclass(frozen=True)
class Occurrence:
    """From `began` to `ended` in seconds since the epoch; `ended` is None while it lasts."""

    began: float
    boot: str
    ended: Optional[float] = None


Marks = dict[str, tuple[Occurrence, ...]]


class Ledger:
    """By component and mark, bounded in both. `changed` says that there is something new to keep."""

    def __init__(self) -> None:
        self._found: dict[str, Marks] = {}
        self.changed = False

    def look(self, component: str, marks: Iterable[str], now: float, boot: str) -> None:
        """Take in what a look found. What was there in an earlier boot has begun anew."""
        present = set(marks)
        known = self._found.setdefault(component, {})
        for mark, occurrences in known.items():
            last = occurrences[-1]
            if last.ended is None and (mark not in present or last.boot != boot):
                known[mark] = (*occurrences[:-1], replace(last, ended=max(last.began, now)))
                self.changed = True
        for mark in sorted(present):
            occurrences = known.get(mark, ())
            if not occurrences or occurrences[-1].ended is not None:
                known[mark] = (*occurrences, Occurrence(now, boot))[-_KEPT_EACH:]
                self.changed = True
        while len(known) > _KEPT_MARKS:
            del known[min(known, key=lambda mark: known[mark][-1].began)]

    def of(self, component: str) -> Mapping[str, tuple[Occurrence, ...]]:
        """By mark, the oldest first; no mark is without an occurrence."""
        return self._found.get(component, {})

    def boots_with(self, component: str, marks: Iterable[str], since: float) -> int:
        """Count the boots of the node in which any of the marks was seen."""
        known = self.of(component)
        found = [o for mark in marks for o in known.get(mark, ()) if o.ended is None or o.ended >= since]
        return len({o.boot for o in found})

    def forget(self, before: float) -> None:
        for component, known in list(self._found.items()):
            for mark, occurrences in list(known.items()):
                kept = tuple(o for o in occurrences if o.ended is None or o.ended >= before)
                self.changed = self.changed or len(kept) != len(occurrences)
                known[mark] = kept
                if not kept:
                    del known[mark]
            if not known:
                del self._found[component]

    def to_document(self) -> list[dict[str, Any]]:
        return [
            {"component": component, "mark": mark, "began": o.began, "ended": o.ended, "boot": o.boot}
            for component, known in self._found.items()
            for mark, occurrences in known.items()
            for o in occurrences
        ]

    @classmethod
    def from_document(cls, document: Any) -> Ledger:
        """Read back what was kept; what cannot be read is forgotten."""
        ledger = cls()
        for row in document if isinstance(document, list) else []:
            try:
                component, mark, occurrence = _row(row)
            except (KeyError, TypeError, ValueError):
                continue
            known = ledger._found.setdefault(component, {})
            known[mark] = (*known.get(mark, ()), occurrence)[-_KEPT_EACH:]
        return ledger


def _row(row: Mapping[str, Any]) -> tuple[str, str, Occurrence]:
    ended = row["ended"]
    occurrence = Occurrence(float(row["began"]), str(row["boot"]), None if ended is None else float(ended))
    return str(row["component"]), str(row["mark"]), occurrence
