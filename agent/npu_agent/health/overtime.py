"""Rules about time: a fault that lasts, one that comes again and again, one that no reboot cures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from npu_agent import api
from npu_agent.health import faults
from npu_agent.health.ledger import Ledger, Occurrence
from npu_agent.health.rules import DurationRule, FrequencyRule, Pattern, Rules, kind
from npu_agent.health.verdict import Verdict, gravest, more_drastic

_DAY_S = 86400.0


class OverTime:
    """Takes each look's verdicts into the ledger and says what they mean with what came before."""

    def __init__(self, by: Rules, ledger: Ledger) -> None:
        self._by = by
        self.ledger = ledger
        windows = [rule.within_s + rule.release_s for rule in by.frequency]
        self._kept_s = max([_DAY_S, by.escalation.within_s, *windows])

    def judge(self, verdict: Verdict, now: float, boot: str, *, counts: bool) -> Verdict:
        """`now` are seconds since the epoch. What is unknown neither begins nor ends a fault."""
        if verdict.state == api.UNKNOWN:
            return verdict
        if counts:
            self.ledger.look(verdict.name, verdict.marks, now, boot)
        found = [verdict, *self._lasting(verdict.name, now, boot), *self._repeated(verdict.name, now, boot)]
        return self._escalated(gravest(found), now)

    def tidy(self, now: float) -> None:
        self.ledger.forget(now - self._kept_s)

    def _lasting(self, name: str, now: float, boot: str) -> Iterator[Verdict]:
        for rule in self._by.duration:
            for mark in self._fitting(rule.pattern, name):
                last = self.ledger.of(name)[mark][-1]
                if _not_looked_at(last, boot):
                    continue
                lasted = (now if last.ended is None else last.ended) - last.began
                if lasted >= rule.lasts_s and (last.ended is None or now - last.ended < rule.recovers_s):
                    yield _by_rule(rule.pattern, name, mark, _lasting_words(rule, lasted, over=last.ended is not None))

    def _repeated(self, name: str, now: float, boot: str) -> Iterator[Verdict]:
        for rule in self._by.frequency:
            for mark in self._fitting(rule.pattern, name):
                times = self._times(rule, name, mark, now)
                if _not_looked_at(self.ledger.of(name)[mark][-1], boot):
                    continue
                if times >= rule.times:
                    words = f"it came {times} times within {span(rule.within_s)}"
                    yield _by_rule(rule.pattern, name, mark, words)

    def _times(self, rule: FrequencyRule, name: str, mark: str, now: float) -> int:
        """Count within the window that ends with the last occurrence; that one holds until it is released."""
        occurrences = self.ledger.of(name)[mark]
        last = occurrences[-1]
        if last.ended is not None and now - last.ended >= rule.release_s:
            return 0
        return sum(1 for occurrence in occurrences if last.began - occurrence.began <= rule.within_s)

    def _fitting(self, pattern: Pattern, name: str) -> list[str]:
        if kind(name) != pattern.component:
            return []
        return [mark for mark in self.ledger.of(name) if mark in pattern.marks or self._level(mark) in pattern.levels]

    def _level(self, mark: str) -> str:
        fault = faults.lookup(mark)
        return self._by.codes.get(mark) or (fault.level if fault else None) or ""

    def _escalated(self, verdict: Verdict, now: float) -> Verdict:
        rule = self._by.escalation
        if verdict.state != api.UNHEALTHY or verdict.action not in rule.actions:
            return verdict
        boots = self.ledger.boots_with(verdict.name, verdict.marks, now - rule.within_s)
        if boots <= rule.after_reboots:
            return verdict
        words = f"it is back after {boots - 1} reboots of the node"
        if rule.dry_run:
            return replace(verdict, trials=(*verdict.trials, f"escalation would say {rule.action}: {words}"))
        action = more_drastic(verdict.action, rule.action)
        return replace(verdict, reason=f"{verdict.reason}; {words}", action=action)


def _not_looked_at(last: Occurrence, boot: str) -> bool:
    """Whether it was there when an earlier boot ended: the first look of this one says whether it still is."""
    return last.ended is None and last.boot != boot


def _by_rule(pattern: Pattern, name: str, mark: str, words: str) -> Verdict:
    judged = pattern.judgement
    reason = f"{mark}: {words}"
    if pattern.dry_run:
        trial = f"{pattern.name} would say {judged.state}, {judged.action}: {reason}"
        return Verdict(name, api.HEALTHY, trials=(trial,))
    return Verdict(name, judged.state, reason, judged.action)


def _lasting_words(rule: DurationRule, lasted: float, *, over: bool) -> str:
    if over:
        return f"it lasted {span(lasted)} and must be gone for {span(rule.recovers_s)}"
    return f"it has lasted longer than {span(rule.lasts_s)}"


def span(seconds: float) -> str:
    """A length of time in its largest whole unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
