"""npufleet run: start a container on some NPUs of a node, chosen or given, or one on each of several nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npufleet import jobs, launch
from npufleet.commands.options import InventoryOption, verb
from npufleet.errors import UsageError
from npufleet.fleet import Fleet, open_fleet
from npufleet.job.steps import Run
from npufleet.jobs import Words
from npufleet.result import Outcome, Progress, Result
from npufleet.views import run as view

Said = Annotated[str | None, typer.Option(show_default=False)]


def run(  # noqa: PLR0913  # one parameter an option
    image: Annotated[str | None, typer.Argument(help="The image; not with --file.", show_default=False)] = None,
    command: Annotated[
        list[str] | None, typer.Argument(help="After --: what to run instead of the image's own.", show_default=False)
    ] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="A job file with the same keys.", show_default=False)
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the workload.", show_default=False)] = None,
    node: Annotated[
        str | None, typer.Option(help="Else a ready node with enough free NPUs.", show_default=False)
    ] = None,
    npus: Annotated[
        str | None, typer.Option(help='How many ("2", "all"), or which ("3,4", "0-3", "3,").', show_default=False)
    ] = None,
    profile: Annotated[str | None, typer.Option(help="train, aigc, infer or custom.", show_default=False)] = None,
    mount: Annotated[list[str] | None, typer.Option(help="SOURCE:TARGET[:ro]; again for more.")] = None,
    env: Annotated[list[str] | None, typer.Option("-e", "--env", help="KEY=VALUE; again for more.")] = None,
    network: Annotated[str | None, typer.Option(help="bridge or host.", show_default=False)] = None,
    cpus: Annotated[float | None, typer.Option(min=0.1, show_default=False)] = None,
    memory: Annotated[str | None, typer.Option(help='Such as "1000g".', show_default=False)] = None,
    shm: Annotated[str | None, typer.Option(help='Shared memory, such as "200g".', show_default=False)] = None,
    workdir: Said = None,
    restart: Annotated[str | None, typer.Option(help="no, on-failure or always.", show_default=False)] = None,
    wait: Annotated[bool, typer.Option(help="With nodes in the job: watch it and act when a node fails.")] = False,
    inventory: InventoryOption = None,
) -> Outcome:
    """Start a container on some NPUs. A job file with `nodes` starts one on each of several nodes, or on none.

    Asking again for the same is harmless: what runs already is left alone.
    """
    positional = [part for part in (image, *(command or ())) if part is not None]
    words = Words(
        image=None if file else image, command=positional if file else command or (),
        name=name, node=node, npus=npus, profile=profile, mounts=mount or (), env=env or (),
        network=network, cpus=cpus, memory=memory, shm=shm, workdir=workdir, restart=restart,
    )  # fmt: skip
    job = jobs.build(words, jobs.read_file(file) if file else None)
    return _start(open_fleet(inventory), job, wait=wait)


def _start(fleet: Fleet, job: jobs.Job, *, wait: bool) -> Outcome:
    if job.layout is not None:
        return Progress("run", Run(fleet, job.spec, job.layout, wait).steps())
    if wait:
        raise UsageError("--wait is for jobs with nodes.", remedy="Give the job file nodes: 1, or leave --wait out.")
    return _result(launch.launch(fleet, job))


def _result(launched: launch.Launched) -> Result:
    workload = launched.workload
    return Result(
        command="run",
        data={"node": launched.node, "created": launched.created, "workload": workload.to_dict()},
        messages=launched.messages,
        view=lambda: view.started(launched.node, workload, created=launched.created),
    )


app = verb(run)
