"""What the verbs of rollout tell: frames while it goes on, results with their exit code, and the plan."""

from __future__ import annotations

from collections.abc import Sequence

from npufleet.result import Exit, Failure, Frame, Result
from npufleet.rollout import gate, lock, plan, states
from npufleet.rollout.amounts import spell
from npufleet.rollout.control import Rollouts, Wanted
from npufleet.rollout.record import Record
from npufleet.rollout.rows import NodeRow, RolloutRow
from npufleet.views import rollout as view


def draw(record: Record, rollout: str, line: str) -> Frame:
    row, nodes = record.rollout(rollout), record.nodes(rollout)
    name = str(record.revision(row.revision)["name"])
    return Frame(lambda: view.overview(row, name, nodes, "this session"), line)


def conclude(record: Record, verb: str, rollout: str, holder: lock.Holder | None) -> Result:
    row, nodes = record.rollout(rollout), record.nodes(rollout)
    revision = record.revision(row.revision)
    moved_by = holder.sentence() if holder else ""
    return Result(
        command=f"rollout {verb}",
        data={
            "rollout": {key: value for key, value in row.to_dict().items() if key != "ends_as"},
            "revision": revision,
            "moved_by": moved_by or None,
            "nodes": [node.to_dict() for node in nodes],
        },
        errors=failures(row, nodes),
        exit_code=exit_code(row, nodes, verb),
        view=lambda: view.overview(row, str(revision["name"]), nodes, moved_by),
        view_tells_errors=True,
    )


def failures(row: RolloutRow, nodes: Sequence[NodeRow]) -> tuple[Failure, ...]:
    told = [
        Failure(f"node-{node.state}", f"{node.node}: {node.reason}", f"See npufleet health {node.node}.", node.node)
        for node in nodes
        if node.state in states.BAD
    ]
    if row.state in {states.FAILED, states.BLOCKED, states.PAUSED}:
        told.append(Failure(f"rollout-{row.state}", f"{row.id}: {row.reason}.", "See npufleet rollout status."))
    return tuple(told)


def exit_code(row: RolloutRow, nodes: Sequence[NodeRow], verb: str) -> Exit:
    """0 where it is done, or done as asked; 3 where it waits or some nodes are not there; 1 failed; 4 none reached."""
    if nodes and all(node.state == states.UNREACHABLE for node in nodes):
        return Exit.UNREACHABLE
    if row.state == states.FAILED:
        return Exit.FAILED
    lost = any(node.state in states.BAD | {states.SKIPPED} for node in nodes)
    as_asked = row.state == states.CANCELLED or verb in {"pause", "abort"}
    return Exit.FINE if as_asked or (row.state == states.SUCCESSFUL and not lost) else Exit.PARTLY


def preview(rollouts: Rollouts, wanted: Wanted) -> Result:
    """Ask every agent, write nothing, and tell what a run would do."""
    settings = wanted.settings
    batches = plan.batches(wanted.nodes, settings)
    answers = rollouts.site.fleet.ask(gate.inquire, [node.name for node in wanted.nodes])
    looks = {answer.node.name: gate.look(answer, settings) for answer in answers}
    warnings = [f"{name} is {one.verdict}: {one.reason}" for name, one in looks.items() if one.verdict != gate.GOOD]
    warnings += [
        f"{a.node.name} is cordoned by {', '.join(c.owner for c in a.value.cordons.cordons)}"
        for a in answers
        if a.value is not None and a.value.cordons.cordoned
    ]
    stable = rollouts.record.stable(rollouts.site.fleet.inventory.source.name)
    if stable == wanted.revision.digest:
        warnings.append("this revision is the stable one already: only nodes that drifted would change")
    if stable is None and any(one.verdict != gate.GOOD for one in looks.values()):
        warnings.append("no stable revision is known and not all nodes are healthy: there would be no way back")
    document = {
        "revision": {**wanted.revision.to_dict(), "digest": wanted.revision.digest},
        "settings": settings.to_dict(),
        "batches": batches,
        "canary": settings.canary,
        "stable": stable,
        "steps": _steps(wanted),
        "warnings": warnings,
    }
    return Result("rollout plan", data=document, view=lambda: view.plan(document))


def _steps(wanted: Wanted) -> list[str]:
    settings, revision = wanted.settings, wanted.revision
    drain = f"cordon and drain ({settings.drain.mode}, at most {spell(settings.drain.deadline_s)})"
    stop = "revert to the stable revision" if settings.reverts else settings.failure_action
    variables = ", ".join(sorted(revision.variables)) or "none: the inventory's own"
    batch = (
        f"each batch: {drain}, {revision.playbook}, healthy for {spell(settings.min_healthy_time_s)} within"
        f" {spell(settings.healthy_deadline_s)}, uncordon"
    )
    return [
        batch,
        f"variables: {variables}",
        f"after the canary: {'go on' if settings.auto_promote or not settings.canary else 'wait for promote'}",
        f"more than {settings.max_fail_percentage:g} % failed or unreachable: {stop}",
    ]
