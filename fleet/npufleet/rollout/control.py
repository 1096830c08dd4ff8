"""What an operator may do with rollouts; each verb checks whether it may, and lets the engine go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npufleet.errors import NpufleetError
from npufleet.inventory import Node
from npufleet.result import Frame, Result
from npufleet.rollout import ending, gate, hooks, orphans, plan, states
from npufleet.rollout import revision as revisions
from npufleet.rollout import settings as settings_of
from npufleet.rollout.engine import ABORT_WISH, PAUSE_WISH, Engine
from npufleet.rollout.lock import Lock, LockedError, me
from npufleet.rollout.record import Record
from npufleet.rollout.revision import Revision
from npufleet.rollout.rows import FAILURES, RolloutRow
from npufleet.rollout.settings import Settings
from npufleet.rollout.site import Site

Going = Generator[Frame, None, Result]
_OPEN = frozenset({states.PENDING, states.RUNNING, states.PAUSED, states.BLOCKED})


class RolloutError(NpufleetError):
    code = "rollout-state"


@dataclass(frozen=True)
class Wanted:
    """A rollout to begin: what, how, and on which nodes."""

    revision: Revision
    settings: Settings
    nodes: list[Node]


@dataclass
class Rollouts:
    """`draw` makes a frame of the record's present state; `conclude` makes the result of a verb."""

    record: Record
    lock: Lock
    site: Site
    draw: Callable[[str, str], Frame]
    conclude: Callable[[str, str], Result]

    def begin(self, wanted: Wanted) -> Going:
        self.lock.take()
        with _releasing(self.lock):
            open_ones = [one for one in self.record.rollouts() if one.state in _OPEN]
            if open_ones:
                raise RolloutError(
                    f"{open_ones[-1].id} is {open_ones[-1].state}: one rollout at a time.",
                    code="rollout-unfinished",
                    remedy="Resume it, roll it back, or abort it first.",
                )
            made = self.record.create(
                RolloutRow(self._inventory, wanted.revision.digest, self._back(wanted), wanted.settings.to_dict()),
                plan.batches(wanted.nodes, wanted.settings),
                {one.digest: one.to_dict() for one in (wanted.revision, revisions.BASELINE)},
            )
            self._begin_session("run", made.id)
            return (yield from self._drive("run", made.id))

    def resume(self, wanted: str | None, changes: Mapping[str, Any]) -> Going:
        """Go on, also after the session was killed; where the rollout asks about failures, they are accepted."""

        def prepare(rollout: RolloutRow) -> None:
            self._demand(rollout, _OPEN, "resumed")
            if changes:
                self.record.change(rollout.id, settings=_changed(rollout, changes))
            if rollout.asks == FAILURES:
                bad = [node.node for node in self.record.nodes(rollout.id) if node.state in states.BAD]
                self.record.note(rollout.id, bad, accepted=1)
                self.record.forget_failures()
            if rollout.state in {states.PAUSED, states.BLOCKED}:
                self.record.turn(rollout.id, states.RUNNING, "", asks="", wish="")

        return self._take_up("resume", wanted, prepare)

    def promote(self, wanted: str | None) -> Going:
        def prepare(rollout: RolloutRow) -> None:
            self._demand(rollout, {states.PAUSED}, "promoted")
            if rollout.asks == FAILURES:
                raise RolloutError(
                    f"{rollout.id} is not to be promoted: {rollout.reason}.",
                    code="rollout-not-proven",
                    remedy="Mend the nodes and use retry; or resume to go on without them, or rollback.",
                )
            pending = [node.batch for node in self.record.nodes(rollout.id) if node.state == states.PENDING]
            self.record.turn(rollout.id, states.RUNNING, "", promoted=min(pending, default=0), wish="")

        return self._take_up("promote", wanted, prepare)

    def retry(self, wanted: str | None) -> Going:
        """Take the failed, unreachable and skipped nodes once more."""

        def prepare(rollout: RolloutRow) -> None:
            self._demand(rollout, {states.PAUSED, states.BLOCKED, states.FAILED, states.SUCCESSFUL}, "retried")
            again = states.BAD if rollout.goes_back else states.BAD | {states.SKIPPED}
            nodes = [node.node for node in self.record.nodes(rollout.id) if node.state in again]
            if not nodes:
                raise RolloutError(f"No node of {rollout.id} has failed.", remedy="See npufleet rollout status.")
            self.record.forget_failures()
            self.record.move(rollout.id, nodes, states.PENDING, "once more", accepted=0, inconclusive=0)
            self.record.turn(rollout.id, states.RUNNING, rollout.reason if rollout.goes_back else "", asks="", wish="")

        return self._take_up("retry", wanted, prepare)

    def rollback(self, wanted: str | None) -> Going:
        def prepare(rollout: RolloutRow) -> None:
            nodes = [node for node in self.record.nodes(rollout.id) if node.changed]
            if not rollout.back or not nodes or rollout.goes_back:
                why = "it goes back already" if rollout.goes_back else "it has changed no node"
                raise RolloutError(
                    f"{rollout.id} cannot be rolled back: {why if rollout.back else 'no stable revision is known'}.",
                    code="rollout-no-way-back",
                    remedy="retry goes on with a rollback that failed; a new rollout can bring any revision.",
                )
            if rollout.state != states.RUNNING:
                self.record.turn(rollout.id, states.RUNNING, "", asks="", wish="")
            ending.free_untouched(self.record, self.site, rollout.id)
            settings = settings_of.restore(rollout.settings)
            all_nodes = self.record.nodes(rollout.id)
            ending.turn_back(
                self.record, rollout.id, all_nodes, settings, "rolled back by the operator", states.CANCELLED
            )
            self.site.hook(hooks.ROLLBACK, settings, {"NPUFLEET_ROLLOUT": rollout.id})

        return self._take_up("rollback", wanted, prepare)

    def pause(self, wanted: str | None) -> Result:
        def at_once(rollout: RolloutRow) -> None:
            if rollout.state == states.RUNNING:
                self.record.turn(rollout.id, states.PAUSED, "paused by the operator", wish="")

        return self._wish("pause", wanted, PAUSE_WISH, at_once)

    def abort(self, wanted: str | None) -> Result:
        return self._wish("abort", wanted, ABORT_WISH, lambda one: ending.abort(self.record, self.site, one.id))

    def _wish(self, verb: str, wanted: str | None, wish: str, at_once: Callable[[RolloutRow], None]) -> Result:
        """Do it here where nobody moves the rollout; else write down what is wanted for the one who does."""
        rollout = self.record.rollout(wanted)
        self._demand(
            rollout, _OPEN | ({states.FAILED} if wish == ABORT_WISH else set()), f"{verb}d".replace("td", "ted")
        )
        try:
            self.lock.take(rollout.id)
        except LockedError:
            self.record.change(rollout.id, wish=wish)
            return self.conclude(verb, rollout.id)
        with _releasing(self.lock):
            at_once(self.record.rollout(rollout.id))
        return self.conclude(verb, rollout.id)

    def _take_up(self, kind: str, wanted: str | None, prepare: Callable[[RolloutRow], None]) -> Going:
        rollout = self.record.rollout(wanted)
        self.lock.take(rollout.id)
        with _releasing(self.lock):
            dead = self.lock.stale
            if dead is not None and dead.host == me().host:
                words = f"waiting for a playbook that process {dead.pid} left behind"
                yield from orphans.wait(self.site, dead.pid, self.draw(rollout.id, words))
            self._begin_session(kind, rollout.id)
            prepare(self.record.rollout(rollout.id))
            return (yield from self._drive(kind, rollout.id))

    def _begin_session(self, kind: str, rollout: str) -> None:
        holder = me(rollout)
        self.lock.name(rollout)
        self.record.begin_session(rollout, kind, (holder.operator, holder.host, holder.pid))

    def _drive(self, kind: str, rollout: str) -> Going:
        if self._confirmed(rollout):
            yield from Engine(self.record, self.site, rollout, lambda line: self.draw(rollout, line)).run()
        self.record.end_session(self.record.rollout(rollout).state)
        return self.conclude(kind, rollout)

    def _confirmed(self, rollout: str) -> bool:
        """Ask the hooks that stand before the first node is touched; a no leaves the rollout paused."""
        now = self.record.rollout(rollout)
        if now.state == states.PENDING:
            self.record.turn(rollout, states.RUNNING)
        if any(node.state != states.PENDING or node.again for node in self.record.nodes(rollout)) or now.goes_back:
            return True
        settings = settings_of.restore(now.settings)
        for name in (hooks.CONFIRM_ROLLOUT, hooks.PRE):
            if said := self.site.hook(name, settings, {"NPUFLEET_ROLLOUT": rollout}):
                self.record.turn(rollout, states.PAUSED, said)
                return False
        return True

    def _back(self, wanted: Wanted) -> str:
        """What to go back to: the stable revision; before the first one the inventory itself, if all nodes are fine."""
        if known := self.record.stable(self._inventory):
            return known
        answers = self.site.fleet.ask(gate.inquire, [node.name for node in wanted.nodes])
        fine = all(gate.look(answer, wanted.settings).verdict == gate.GOOD for answer in answers)
        return revisions.BASELINE.digest if fine else ""

    @property
    def _inventory(self) -> str:
        return self.site.fleet.inventory.source.name

    def _demand(self, rollout: RolloutRow, allowed: frozenset[str] | set[str], verb: str) -> None:
        if rollout.state not in allowed:
            raise RolloutError(
                f"{rollout.id} is {rollout.state}{f' ({rollout.reason})' if rollout.reason else ''}:"
                f" it cannot be {verb}.",
                remedy="See npufleet rollout status.",
            )


def _changed(rollout: RolloutRow, changes: Mapping[str, Any]) -> str:
    return json.dumps(settings_of.merge(settings_of.restore(rollout.settings), changes).to_dict())


class _releasing:  # noqa: N801  # reads as a verb where it is used
    """Gives the lock back at an orderly end; a death leaves the file's text, as the death of the process does."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, _value: object, _trace: object) -> None:
        if kind is None or issubclass(kind, (Exception, GeneratorExit, KeyboardInterrupt)):
            self._lock.release()
        else:
            self._lock.drop()


def open_record(folder: Path) -> tuple[Record, Lock]:
    """The record and the lock of an inventory's folder; what lies there is nobody's source code."""
    runs = folder / "runs"
    record = Record(runs / "rollouts.sqlite")
    ignore = runs / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return record, Lock(runs / "rollouts.lock")
