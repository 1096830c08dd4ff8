"""npufleet render: a job for other ways to run it."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from npufleet import jobs
from npufleet.commands.options import InventoryOption, verb
from npufleet.fleet import Fleet, open_fleet
from npufleet.jobs import Job, Words
from npufleet.render import kubernetes, pods, volcano
from npufleet.render.node import script, units
from npufleet.result import Message, Outcome, Result


class Form(enum.StrEnum):
    DOCKER = "docker"
    SYSTEMD = "systemd"
    KUBERNETES = "kubernetes"
    VOLCANO = "volcano"


def render(
    file: Annotated[Path, typer.Option("-f", "--file", help="The job file.")],
    form: Annotated[Form, typer.Option("--as", help="For docker and systemd the nodes' agents are asked.")],
    node: Annotated[
        str | None, typer.Option(help="Whose devices and driver it is; else one that fits.", show_default=False)
    ] = None,
    inventory: InventoryOption = None,
) -> Outcome:
    """Print a job as docker run lines, a systemd unit, or for Kubernetes. Nothing is started or reserved."""
    job = jobs.build(Words(node=node), jobs.read_file(file))
    if form in {Form.DOCKER, Form.SYSTEMD}:
        return _for_nodes(open_fleet(inventory), job, form)
    make = kubernetes.manifests if form is Form.KUBERNETES else volcano.manifests
    documents = make(job.spec, job.layout)
    left = pods.not_carried(job.spec, job.layout)
    notes = (Message("warning", f"Not carried over: {', '.join(left)}."),) if left else ()
    text = yaml.safe_dump_all(documents, sort_keys=False)
    return Result("render", data={"form": form.value, "documents": documents}, text=text, messages=notes)


def _for_nodes(fleet: Fleet, job: Job, form: Form) -> Result:
    texts: dict[str, str] = script(fleet, job) if form is Form.DOCKER else units(fleet, job)
    data: dict[str, Any] = {"form": form.value, "nodes": texts}
    return Result("render", data=data, text="\n".join(f"# {name}\n{text}" for name, text in texts.items()))


app = verb(render)
