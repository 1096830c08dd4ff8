"""Moves a rollout on until it is over or waits for somebody; what comes next follows from the record alone.

So a program that was killed needs no memory: `resume` reads the same record and takes the same next step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

from npufleet.result import Frame
from npufleet.rollout import ending, gate, hooks, limits, revision, states, wave
from npufleet.rollout import settings as settings_of
from npufleet.rollout.apply import InterruptedRunError
from npufleet.rollout.ending import names
from npufleet.rollout.record import Record
from npufleet.rollout.rows import FAILURES, NodeRow, RolloutRow
from npufleet.rollout.settings import MANUAL, Settings
from npufleet.rollout.site import Site
from npufleet.rollout.wave import Steps, Task, Wave
from npufleet.survey import natural

PAUSE_WISH, ABORT_WISH = "pause", "abort"


class StopHereError(Exception):
    """The operator wants the rollout to stop after the present step."""


class Engine:
    def __init__(self, record: Record, site: Site, rollout: str, draw: Callable[[str], Frame]) -> None:
        self._record = record
        self._site = site
        self._id = rollout
        self._draw = draw
        # Nodes whose cordon this session has tried to lift: one that is silent is not waited for.
        self._given_back: set[str] = set()

    def run(self) -> Steps:
        """Go on as long as the rollout is running; an interrupt leaves it paused, each node where it is."""
        try:
            while self._rollout.state == states.RUNNING:
                yield from self._step()
        except StopHereError:
            self._heed()
        except (KeyboardInterrupt, InterruptedRunError):
            self._turn(states.PAUSED, "interrupted by the operator")
        yield from self._tell()

    @property
    def _rollout(self) -> RolloutRow:
        return self._record.rollout(self._id)

    @property
    def _nodes(self) -> list[NodeRow]:
        return self._record.nodes(self._id)

    def _turn(self, state: str, reason: str = "", **more: object) -> None:
        self._record.turn(self._id, state, reason, **more)

    def _frames(self) -> Iterator[Frame]:
        yield from self._tell()
        if self._rollout.wish:
            raise StopHereError

    def _tell(self) -> Iterator[Frame]:
        news, self._record.news = self._record.news, []
        for line in news or [""]:
            yield self._draw(line)

    def _heed(self) -> None:
        """Do what was wished from another terminal."""
        if self._rollout.wish == ABORT_WISH:
            ending.abort(self._record, self._site, self._id)
        else:
            self._turn(states.PAUSED, "paused by the operator", wish="")

    def _step(self) -> Steps:
        rollout, nodes = self._rollout, self._nodes
        settings = settings_of.restore(rollout.settings)
        active = [node.node for node in nodes if node.state in states.ACTIVE]
        if active:
            yield from self._wave(rollout, settings).run(active)
        elif held := self._held(nodes, settings):
            self._given_back.update(held)
            wave.lift(self._record, self._site, self._id, held)
        elif not (self._stops(rollout, nodes, settings) or self._waits(rollout, nodes, settings)):
            yield from self._next(rollout, nodes, settings)

    def _held(self, nodes: Sequence[NodeRow], settings: Settings) -> list[str]:
        """Nodes to give back: their drain failed and nothing was done to them. Changed ones stay cordoned."""
        if not settings.drain.uncordon_after_drain_failure:
            return []
        failed = [node for node in nodes if node.state in states.BAD and not node.changed and node.cordon]
        return [node.node for node in failed if node.node not in self._given_back]

    def _wave(self, rollout: RolloutRow, settings: Settings) -> Wave:
        return Wave(self._record, self._site, self._task(rollout, settings), self._frames)

    def _task(self, rollout: RolloutRow, settings: Settings) -> Task:
        """On the way back the revision's own way of undoing itself comes first, then the one that was stable."""
        target = revision.restore(self._record.revision(rollout.target))
        revision.check_files(target, self._site.root)
        playbooks: tuple[tuple[str, revision.Revision], ...] = ((target.playbook, target),)
        if rollout.goes_back:
            left = revision.restore(self._record.revision(rollout.revision))
            if left.revert_playbook:
                playbooks = ((left.revert_playbook, left), *playbooks)
        return Task(rollout, settings, target, playbooks)

    def _stops(self, rollout: RolloutRow, nodes: Sequence[NodeRow], settings: Settings) -> bool:
        """Too many failed: block, pause, or turn back. Whatever was not known is no reason to turn back by itself."""
        failed = limits.bad(nodes)
        if not failed:
            return False
        why = f"{names(failed)}: {failed[0].reason}"
        if rollout.goes_back:
            self._turn(states.FAILED, f"the rollback failed on {why}")
        elif opened := limits.breaker(self._record, nodes, settings.circuit_breaker):
            self._turn(states.BLOCKED, opened, asks=FAILURES)
        elif any(node.inconclusive for node in failed):
            self._turn(states.PAUSED, f"inconclusive: {why}", asks=FAILURES)
        elif settings.failure_action == settings_of.CONTINUE or not limits.exceeded(
            nodes, settings.max_fail_percentage
        ):
            return False
        elif settings.reverts:
            self._turn_back(rollout, nodes, settings, why)
        else:
            self._turn(states.PAUSED, f"failed on {why}", asks=FAILURES)
        return True

    def _turn_back(self, rollout: RolloutRow, nodes: Sequence[NodeRow], settings: Settings, why: str) -> None:
        if not rollout.back:
            self._turn(states.FAILED, f"failed on {why}; there is no stable revision to go back to")
            return
        ending.turn_back(self._record, self._id, nodes, settings, f"failed on {why}", states.FAILED)
        self._ask_hook(hooks.ROLLBACK, settings)

    def _waits(self, rollout: RolloutRow, nodes: Sequence[NodeRow], settings: Settings) -> bool:
        """Whether somebody must say yes before the next batch: after the canary, or after each where that is wanted."""
        pending = [node for node in nodes if node.state == states.PENDING]
        done = min((node.batch for node in pending), default=0)
        if rollout.goes_back or not pending or done <= rollout.promoted:
            return False
        manual = settings.health_check == MANUAL
        if not manual and (settings.canary == 0 or rollout.promoted >= 1):
            return False
        said = self._ask_hook(hooks.CONFIRM_PROMOTION, settings)
        if said or not settings.auto_promote:
            what = (
                f"batch {done} is done" if manual else f"{names([n for n in nodes if n.batch == 0])} healthy (canary)"
            )
            self._turn(states.PAUSED, f"{what}; {said or 'waits for npufleet rollout promote'}")
            return True
        self._record.change(self._id, promoted=done)
        return False

    def _next(self, rollout: RolloutRow, nodes: Sequence[NodeRow], settings: Settings) -> Steps:
        pending = [node for node in nodes if node.state == states.PENDING]
        if not pending:
            yield from self._finish(rollout, nodes, settings)
            return
        batch = [node for node in pending if node.batch == pending[0].batch]
        group = self._wave(rollout, settings)
        taken = yield from self._room(nodes, batch, settings)
        if not taken:
            return
        self._record.tell(self._id, "", "batch", f"{batch[0].batch + 1}: {', '.join(taken)}")
        yield from group.run(taken)
        if not rollout.goes_back and (said := self._ask_hook(hooks.BATCH, settings)):
            self._turn(states.PAUSED, said)

    def _room(
        self, nodes: Sequence[NodeRow], batch: Sequence[NodeRow], settings: Settings
    ) -> Generator[Frame, None, list[str]]:
        """Wait until so many nodes are in that some may be taken out; give their names."""
        clock = self._site.clock
        until_s = clock.now_s() + settings.progress_deadline_s
        while True:
            out = self._out(nodes)
            if taken := limits.room(nodes, batch, out, settings):
                return [node.node for node in taken]
            if clock.now_s() >= until_s:
                self._turn(states.BLOCKED, f"no node more may be taken out: {', '.join(sorted(out, key=natural))} out")
                return []
            yield from self._frames()
            clock.sleep(settings.poll_s)

    def _out(self, nodes: Sequence[NodeRow]) -> set[str]:
        """Nodes that take no work now, for whatever reason: silent, sick, not known, or cordoned by anybody."""
        answers = self._site.fleet.ask(gate.inquire, [node.node for node in nodes])
        ready = {a.node.name for a in answers if a.value is not None and a.value.health.ready}
        return {node.node for node in nodes} - ready

    def _finish(self, rollout: RolloutRow, nodes: Sequence[NodeRow], settings: Settings) -> Steps:
        """Look at all once more before the revision is called stable: much may have happened since the first batch."""
        group = self._wave(rollout, settings)
        done = [node for node in nodes if node.state in {states.HEALTHY, states.REVERTED}]
        if not rollout.goes_back and settings.health_check == settings_of.CHECKS:
            doubtful = yield from self._changed_since(group, done)
            if doubtful:
                return
        if rollout.goes_back:
            self._record.set_stable(rollout.inventory, rollout.back)
            self._turn(rollout.ends_as, f"{rollout.reason}; reverted {names(done)}")
            return
        lost = [node for node in nodes if node.state in states.BAD | {states.SKIPPED}]
        if lost:
            state = states.SUCCESSFUL if done else states.FAILED
            self._turn(state, f"healthy on {_count(done)}, not on {names(lost)}; not taken as stable")
            return
        self._record.set_stable(rollout.inventory, rollout.revision)
        self._turn(states.SUCCESSFUL, f"healthy on {_count(done)}")
        self._ask_hook(hooks.POST, settings)

    def _changed_since(self, group: Wave, done: Sequence[NodeRow]) -> Generator[Frame, None, bool]:
        """Nodes that were booted since are brought in step again: they may have been installed anew. Sick ones fail."""
        looks = group.look([node.node for node in done], version=group.task.revision.agent_version)
        doubtful = [node.node for node in done if looks[node.node].verdict != gate.GOOD]
        if doubtful:
            yield from group.watch(doubtful, lambda _: None)
        booted = [
            node.node
            for node in self._nodes
            if node.state == states.HEALTHY and not node.again and looks[node.node].boot_id not in {"", node.boot_id}
        ]
        self._record.move(self._id, booted, states.PENDING, "was booted since", again=1)
        return bool(booted) or any(node.state in states.BAD for node in self._nodes if node.node in doubtful)

    def _ask_hook(self, name: str, settings: Settings) -> str:
        rollout = self._rollout
        environment = {
            "NPUFLEET_ROLLOUT": self._id,
            "NPUFLEET_ROLLOUT_STATE": rollout.state,
            "NPUFLEET_ROLLOUT_REASON": rollout.reason,
        }
        said = self._site.hook(name, settings, environment)
        if said:
            self._record.tell(self._id, "", "hook", said)
        return said


def _count(nodes: Sequence[NodeRow]) -> str:
    return "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
