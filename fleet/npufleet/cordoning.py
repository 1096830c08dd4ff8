"""What cordons and drains do to the fleet, said before, and how they went, said after."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence

from npu_agent import api
from npufleet import agent_cordon, survey
from npufleet.agent_errors import UnreachableError
from npufleet.fleet import Fleet
from npufleet.result import Exit, Frame, Result
from npufleet.survey import NodeStatus, spans
from npufleet.sweep import Answer
from npufleet.views import cordon as view

POLL_S = 2.0


def known(fleet: Fleet, names: Iterable[str]) -> list[str]:
    """The names once each; one that is not in the inventory is refused before anything is done."""
    return [fleet.inventory.node(name).name for name in dict.fromkeys(names)]


def _look(fleet: Fleet, names: Sequence[str]) -> list[NodeStatus]:
    return [survey.judge(answer) for answer in fleet.ask(survey.inquire, names)]


def _unseen(status: NodeStatus) -> str:
    return f"{status.node.name} does not answer: what runs there is not known."


def hurt_by_cordon(fleet: Fleet, names: Sequence[str], npus: Sequence[int]) -> list[str]:
    told = []
    for status in _look(fleet, names):
        if status.facts is None:
            told.append(_unseen(status))
            continue
        free = [npu for npu in status.free if not npus or npu in npus]
        runs = f"; {', '.join(status.running)} goes on" if status.running else ""
        what = f"NPU {spans(npus)}" if npus else "the node"
        told.append(f"{status.node.name}: {what} takes no new work, {len(free)} free NPUs go out{runs}.")
    return told


def hurt_by_drain(fleet: Fleet, names: Sequence[str], mode: str, deadline_s: int | None) -> list[str]:
    ends = {
        api.DRAIN_IMMEDIATE: "is STOPPED NOW",
        api.DRAIN_DELETE_AFTER_TIMEOUT: f"is STOPPED after {deadline_s} s",
        api.DRAIN_ALLOW_COMPLETION: "is waited for",
    }[mode]
    told = []
    for status in _look(fleet, names):
        if status.facts is None:
            told.append(_unseen(status))
            continue
        told.append(f"{status.node.name}: takes no new work.")
        told += [f"{status.node.name}: workload {name} {ends}." for name in status.running]
        told += [f"{status.node.name}: {found} is not npufleet's and is left alone." for found in _foreign(status)]
    return told


def _foreign(status: NodeStatus) -> list[str]:
    holders = [npu.holder for npu in status.npus if npu.holder is not None]
    return sorted({found.sentence() for found in holders if found.kind in {"container", "process"}})


def hurt_by_force(fleet: Fleet, names: Sequence[str]) -> list[str]:
    told = []
    for answer in fleet.ask(agent_cordon.cordons, names):
        for cordon in answer.value.cordons if answer.value else ():
            why = f" ({cordon.reason})" if cordon.reason else ""
            told.append(f"{answer.node.name}: the cordon of {cordon.owner}{why} is lifted over their head.")
    return told or ["No cordon stands there."]


def told(command: str, answers: Sequence[Answer[api.Cordons]], word: str) -> Result:
    done = {answer.node.name: answer.value for answer in answers if answer.value is not None}
    return Result(
        command,
        data={"nodes": [{"node": node, **cordons.to_dict()} for node, cordons in done.items()]},
        errors=tuple(answer.problem.failure for answer in answers if answer.problem is not None),
        exit_code=exit_of(answers),
        view=lambda: view.cordons(done, word),
    )


def exit_of(answers: Sequence[Answer[api.Cordons]] | Sequence[Answer[api.Drain]]) -> Exit:
    problems = [answer.problem for answer in answers if answer.problem is not None]
    if not problems:
        return Exit.FINE
    if len(problems) < len(answers):
        return Exit.PARTLY
    silent = all(isinstance(problem, UnreachableError) for problem in problems)
    return Exit.UNREACHABLE if silent else Exit.FAILED


def drain_told(answers: Sequence[Answer[api.Drain]]) -> Result:
    done = {answer.node.name: answer.value for answer in answers if answer.value is not None}
    return Result(
        "drain",
        data={"nodes": [{"node": node, **drain.to_dict()} for node, drain in done.items()]},
        errors=tuple(answer.problem.failure for answer in answers if answer.problem is not None),
        exit_code=exit_of(answers),
        view=lambda: view.drains(done),
    )


def until_drained(fleet: Fleet, names: Sequence[str]) -> Generator[Frame, None, Result]:
    """Look on. An interrupt only ends the looking: the agents go on draining."""
    said = ""
    try:
        while True:
            answers = fleet.ask(agent_cordon.drained, names)
            done = {answer.node.name: answer.value for answer in answers if answer.value is not None}
            if len(done) == len(names) and all(not drain.waiting_for for drain in done.values()):
                return drain_told(answers)
            words = view.waiting(done)
            yield Frame(lambda done=done: view.drains(done), words if words != said else "")  # type: ignore[misc]  # bound now
            said = words
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        return drain_told(fleet.ask(agent_cordon.drained, names))
