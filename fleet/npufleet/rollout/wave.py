"""The nodes that are out together: cordon, drain, playbook, gate, uncordon.

Every state is written before what it names is done, and every step may be done again: whoever finds the record after
the program was killed goes on from it. Nodes of one wave may then be in different states.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

from npufleet import agent_cordon
from npufleet.agent_client import AgentClient
from npufleet.result import Frame
from npufleet.rollout import draining, gate, states
from npufleet.rollout.gate import Gate, Look
from npufleet.rollout.record import Record
from npufleet.rollout.revision import Revision
from npufleet.rollout.rows import LIFTING, NO_CORDON, STANDING, NodeRow, RolloutRow
from npufleet.rollout.settings import CHECKS, SKIP, Settings
from npufleet.rollout.site import Site

Steps = Generator[Frame, None, None]


@dataclass(frozen=True)
class Task:
    """What is done to the nodes of a wave: the playbooks in their order, and what the gate asks for."""

    rollout: RolloutRow
    settings: Settings
    revision: Revision
    playbooks: tuple[tuple[str, Revision], ...]

    @property
    def id(self) -> str:
        return self.rollout.id

    @property
    def done_state(self) -> str:
        return states.REVERTED if self.rollout.goes_back else states.HEALTHY


@dataclass
class Wave:
    """`frames` gives what there is to show; it raises when the operator wants the rollout to stop here."""

    record: Record
    site: Site
    task: Task
    frames: Callable[[], Iterable[Frame]]

    def run(self, names: Sequence[str]) -> Steps:
        yield from self._begin(self._in(names, states.PENDING))
        yield from self._drain(self._in(names, states.DRAINING))
        yield from self._update(names)
        yield from self._verify(self._in(names, states.VERIFYING))
        yield from self.frames()

    def _in(self, names: Sequence[str], state: str) -> list[str]:
        return [row.node for row in self._rows(names) if row.state == state]

    def _rows(self, names: Sequence[str]) -> list[NodeRow]:
        return [row for row in self.record.nodes(self.task.id) if row.node in names]

    def look(self, names: Sequence[str], *, version: str = "", owner: str = "") -> dict[str, Look]:
        answers = self.site.fleet.ask(gate.inquire, names)
        settings = self.task.settings
        return {a.node.name: gate.look(a, settings, version=version, owner=owner) for a in answers}

    def _begin(self, names: Sequence[str]) -> Steps:
        """Leave alone who cannot be reached; the others get the mark first that they are about to be cordoned."""
        if not names:
            return
        silent = {name: one for name, one in self.look(names).items() if one.verdict == gate.SILENT}
        skips = self.task.settings.unreachable == SKIP and not self.task.rollout.goes_back
        state = states.SKIPPED if skips else states.UNREACHABLE
        for name, one in silent.items():
            self.record.move(self.task.id, [name], state, one.reason)
        self.record.move(self.task.id, [n for n in names if n not in silent], states.DRAINING, "", cordon=STANDING)
        yield from self.frames()

    def _drain(self, names: Sequence[str]) -> Steps:
        """Wait until all have ended what they run; who does not in time fails, or goes on if the settings say so."""
        if not names:
            return
        drains = draining.Drains(self.site, self.task.settings, self.task.id, self.task.revision.name)
        waiting = list(names)
        while waiting:
            results = drains.look(waiting)
            for name, one in results.items():
                if one.failure:
                    self.record.move(self.task.id, [name], one.state, f"drain: {one.failure}", inconclusive=0)
            waiting = [name for name in waiting if not results[name].drained and not results[name].failure]
            yield from self.frames()
            if waiting:
                self.site.clock.sleep(self.task.settings.poll_s)

    def _update(self, wave: Sequence[str]) -> Steps:
        """Run the playbooks once for all that are drained, and for those at which a run was cut off."""
        self.record.move(self.task.id, self._in(wave, states.DRAINING), states.UPDATING, "", changed=1)
        names = self._in(wave, states.UPDATING)
        yield from self.frames()
        for playbook, revision in self.task.playbooks:
            if not names:
                return
            ends = yield from self.site.apply(playbook, names, revision)
            for name in [name for name in names if not ends[name].fine]:
                state = states.UNREACHABLE if ends[name].unreachable else states.FAILED
                self.record.move(self.task.id, [name], state, ends[name].reason, inconclusive=0)
                names.remove(name)
        self.record.move(self.task.id, names, states.VERIFYING)
        yield from self.frames()

    def _verify(self, names: Sequence[str]) -> Steps:
        if self.task.settings.health_check != CHECKS:
            self._let_go(names)
            return
        yield from self.watch(names, self._let_go)

    def watch(self, names: Sequence[str], passed: Callable[[Sequence[str]], None]) -> Steps:
        """Look at the nodes until each has passed or failed."""
        clock, settings = self.site.clock, self.task.settings
        gates = {name: Gate(settings, clock.now_s()) for name in names}
        progress_s = clock.now_s()
        while gates:
            yield from self.frames()
            for name, one in self._looks(list(gates)).items():
                gates[name].feed(one, clock.now_s())
            now_s = clock.now_s()
            through = [name for name, one in gates.items() if one.passed(now_s)]
            if through:
                passed(through)
                progress_s = now_s
            failed = {name: why for name, one in gates.items() if (why := one.failed(now_s, progress_s))}
            for name in [name for name in failed if name not in through]:
                self._fail(name, gates[name].last, failed[name])
            gates = {name: one for name, one in gates.items() if name not in through and name not in failed}
            if gates:
                clock.sleep(settings.poll_s)

    def _looks(self, names: Sequence[str]) -> dict[str, Look]:
        """Where the cordon is to stand it is asked for, so that a node that was installed anew is noticed."""
        standing = {row.node for row in self._rows(names) if row.cordon == STANDING}
        version = self.task.revision.agent_version
        looks = self.look([n for n in names if n in standing], version=version, owner=self.task.id)
        return looks | self.look([n for n in names if n not in standing], version=version)

    def _fail(self, name: str, last: Look, why: str) -> None:
        unreachable = last.verdict == gate.SILENT
        state = states.UNREACHABLE if unreachable else states.FAILED
        self.record.move(self.task.id, [name], state, why, inconclusive=int(last.verdict == gate.DUNNO))

    def _let_go(self, names: Sequence[str]) -> None:
        """Lift this rollout's own mark and nobody else's."""
        self.record.note(self.task.id, names, cordon=LIFTING)
        looks = self.look(names)
        problems = uncordon(self.site, self.task.id, names)
        back = {"changed": 0} if self.task.rollout.goes_back else {}
        for name in names:
            if name in problems:
                self.record.move(self.task.id, [name], states.UNREACHABLE, problems[name])
            else:
                one = looks[name]
                more = {"cordon": NO_CORDON, "boot_id": one.boot_id, **back}
                noted = one.reason if one.verdict == gate.GOOD else ""
                self.record.move(self.task.id, [name], self.task.done_state, noted, **more)


def lift(record: Record, site: Site, owner: str, names: Sequence[str]) -> dict[str, str]:
    """Lift the rollout's cordons where the node can be reached; the record remembers the others."""
    record.note(owner, names, cordon=LIFTING)
    problems = uncordon(site, owner, names)
    record.note(owner, [name for name in names if name not in problems], cordon=NO_CORDON)
    return problems


def uncordon(site: Site, owner: str, names: Sequence[str]) -> dict[str, str]:
    def call(client: AgentClient) -> bool:
        agent_cordon.lift(client, owner)
        return True

    answers = site.fleet.ask(call, names)
    return {a.node.name: a.problem.failure.message for a in answers if a.problem is not None}
