"""npufleet rollout: bring a revision to the fleet in steps that stop by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from npufleet.commands.options import InventoryOption, LimitOption
from npufleet.errors import UsageError
from npufleet.fleet import open_fleet
from npufleet.project import Project, find_project
from npufleet.result import Outcome, Progress, Result
from npufleet.rollout import lock, plan, report, revision, settings
from npufleet.rollout.apply import through_runner
from npufleet.rollout.control import Rollouts, Wanted, open_record
from npufleet.rollout.site import Site
from npufleet.views import rollout as view

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
FileOption = Annotated[Path, typer.Option("-f", "--file", help="The revision: a YAML file.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", help="A setting, such as max_parallel=20%; again for more.", show_default=False),
]
WhichArgument = Annotated[
    str | None, typer.Argument(metavar="[ROLLOUT]", help="Its id or number; else the latest.", show_default=False)
]


class SubVerb(TyperCommand):
    """A sub-command with --json of its own; nobody reads it here, as main() looks for it before anything is parsed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        donor = typer.Typer(add_completion=False)
        donor.command()(_json)
        self.params += [option for option in get_command(donor).params if option.name == "as_json"]


def _json(as_json: Annotated[bool, typer.Option("--json", expose_value=False)] = False) -> None:
    """Lend its option to every sub-command."""


@app.callback()
def rollout(context: typer.Context, inventory: InventoryOption = None) -> None:
    """Bring a revision to the fleet, batch by batch, as fast as its health allows."""
    if inventory is not None:
        context.find_root().params["inventory"] = inventory


@app.command("plan", cls=SubVerb)
def plan_verb(
    file: FileOption,
    given: SetOption = None,
    limit: LimitOption = None,
    inventory: InventoryOption = None,
) -> Outcome:
    """Show the batches of a rollout and what would happen; changes nothing."""
    rollouts, project = _open(inventory)
    return report.preview(rollouts, _wanted(rollouts, project, file, given, limit))


@app.command(cls=SubVerb)
def run(
    file: FileOption,
    given: SetOption = None,
    limit: LimitOption = None,
    inventory: InventoryOption = None,
) -> Outcome:
    """Begin a rollout, and go on until it is over or waits for somebody.

    Exit codes: 0 all nodes have it, 3 it waits or some nodes do not, 1 it failed, 4 no node was reached.
    """
    rollouts, project = _open(inventory)
    return Progress("rollout run", rollouts.begin(_wanted(rollouts, project, file, given, limit)))


@app.command(cls=SubVerb)
def status(which: WhichArgument = None, inventory: InventoryOption = None) -> Outcome:
    """Show how far a rollout is, and who moves it. Exit codes as those of run."""
    rollouts, _ = _open(inventory)
    return rollouts.conclude("status", rollouts.record.rollout(which).id)


@app.command(cls=SubVerb)
def pause(which: WhichArgument = None, inventory: InventoryOption = None) -> Outcome:
    """Stop a rollout after its present step; each node stays where it is."""
    return _open(inventory)[0].pause(which)


@app.command(cls=SubVerb)
def resume(which: WhichArgument = None, given: SetOption = None, inventory: InventoryOption = None) -> Outcome:
    """Go on: after a pause, after the session was killed, or without the nodes that failed."""
    return _progress("resume", inventory, lambda rollouts: rollouts.resume(which, _pairs(given)))


@app.command(cls=SubVerb)
def promote(which: WhichArgument = None, inventory: InventoryOption = None) -> Outcome:
    """Say that the canary is good, and go on to all nodes."""
    return _progress("promote", inventory, lambda rollouts: rollouts.promote(which))


@app.command(cls=SubVerb)
def abort(which: WhichArgument = None, inventory: InventoryOption = None) -> Outcome:
    """End a rollout where it stands; nodes that it changed keep what they have."""
    return _open(inventory)[0].abort(which)


@app.command(cls=SubVerb)
def retry(which: WhichArgument = None, inventory: InventoryOption = None) -> Outcome:
    """Take the nodes once more that failed, were unreachable or were skipped."""
    return _progress("retry", inventory, lambda rollouts: rollouts.retry(which))


@app.command(cls=SubVerb)
def rollback(which: WhichArgument = None, inventory: InventoryOption = None) -> Outcome:
    """Bring the nodes that it changed back to the last stable revision."""
    return _progress("rollback", inventory, lambda rollouts: rollouts.rollback(which))


@app.command(cls=SubVerb)
def history(which: WhichArgument = None, inventory: InventoryOption = None) -> Outcome:
    """List all rollouts, or tell one step by step."""
    record = _open(inventory)[0].record
    if which is not None:
        row = record.rollout(which)
        steps, sessions = record.steps(row.id), record.sessions(row.id)
        return Result(
            "rollout history",
            data={"rollout": row.id, "steps": steps, "sessions": sessions},
            view=lambda: view.story(steps, sessions),
        )
    found = [(row, str(record.revision(row.revision)["name"]), len(record.nodes(row.id))) for row in record.rollouts()]
    rows = [{**row.to_dict(), "revision_name": name, "nodes": count} for row, name, count in found]
    return Result("rollout history", data={"rollouts": rows}, view=lambda: view.history(found[::-1]))


def _progress(verb: str, inventory: Path | None, steps: Callable[[Rollouts], Any]) -> Progress:
    return Progress(f"rollout {verb}", steps(_open(inventory)[0]))


def _open(inventory: Path | None) -> tuple[Rollouts, Project]:
    fleet, project = open_fleet(inventory), find_project()
    record, its_lock = open_record(fleet.inventory.folder)
    holder = fleet.inventory.folder / "runs" / "rollouts.lock"
    rollouts = Rollouts(
        record,
        its_lock,
        Site(fleet, through_runner(fleet.inventory.source, project), project.root),
        draw=lambda rollout, line: report.draw(record, rollout, line),
        conclude=lambda verb, rollout: report.conclude(record, verb, rollout, lock.holder(holder)),
    )
    return rollouts, project


def _wanted(rollouts: Rollouts, project: Project, file: Path, given: list[str] | None, limit: str | None) -> Wanted:
    what, own = revision.read(file, project.root)
    how = settings.merge(settings.read(own), _pairs(given))
    return Wanted(what, how, plan.choose(rollouts.site.fleet.inventory.nodes, limit))


def _pairs(given: list[str] | None) -> dict[str, str]:
    pairs = [word.partition("=") for word in given or ()]
    for key, sign, _ in pairs:
        if not sign:
            raise UsageError(
                f"--set {key} has no value.", code="rollout-settings", remedy="Write --set max_parallel=2."
            )
    return {key.strip(): value.strip() for key, _, value in pairs}
