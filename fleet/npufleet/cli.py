"""The command line: names the verbs, in the order of an operator's day; each lives in commands/<verb>.py.

A verb's module is imported when it is called, so that help is quick and one broken part does not take the others along.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from npufleet.commands.options import InventoryOption
from npufleet.errors import NpufleetError, ProjectError
from npufleet.result import Exit, Failure, Outcome, Result


@dataclass(frozen=True)
class Verb:
    help: str
    panel: str
    # A verb that prints by itself instead of returning an outcome; it has its own --json.
    answers: bool = True


VERBS = {
    "status": Verb("Show every node and its NPUs, worst first.", "See"),
    "health": Verb("Show what one node's agent knows about each of its parts.", "See"),
    "top": Verb("Watch the fleet on the whole screen, live.", "See"),
    "events": Verb("Show what happened on all nodes, and what happens now.", "See"),
    "inventory": Verb("Check the inventory, show it, and tell Prometheus of it.", "See"),
    "run": Verb("Start a container on some NPUs.", "Run"),
    "ps": Verb("List the workloads of all nodes.", "Run"),
    "logs": Verb("Print what a workload printed.", "Run"),
    "stop": Verb("Stop a workload and give back its NPUs.", "Run"),
    "render": Verb("Print a job as docker run lines, a systemd unit, or for Kubernetes.", "Run"),
    "exec": Verb("Run a command on nodes, or in the containers of a workload.", "Do"),
    "push": Verb("Copy files to nodes, resumable and verified.", "Do"),
    "cordon": Verb("Give no new work to nodes, or to some of their NPUs.", "Do"),
    "uncordon": Verb("Lift your cordon.", "Do"),
    "drain": Verb("Cordon nodes and empty them.", "Do"),
    "reset-npu": Verb("Reset an NPU that nothing runs on.", "Do"),
    "preflight": Verb("Check the nodes and change nothing.", "Prepare"),
    "prepare": Verb("Take the nodes from bare to ready (site.yml).", "Prepare"),
    "verify": Verb("Tell what differs on the nodes from what the inventory says.", "Prepare"),
    "rollout": Verb("Bring a revision to the fleet, batch by batch, as fast as its health allows.", "Prepare"),
    "collect": Verb("Gather logs and facts for a support ticket in one file.", "Prepare"),
    "lab": Verb("Nodes on this machine, to try and rehearse on.", "Rehearse", answers=False),
}

# Typer carries click under a name of its own that has changed: this finds its base error under each.
_ClickError: type[Exception] = typer.BadParameter.__mro__[2]


class Verbs(TyperGroup):
    """A group that knows its verbs' names and one-line helps, and imports a verb when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # typer's signature
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # typer's signature
        verb = VERBS.get(cmd_name)
        return TyperCommand(cmd_name, help=verb.help, rich_help_panel=verb.panel) if verb else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stub, rest = super().resolve_command(ctx, args)
        return name, stub and load_verb(str(name)), rest


def module_of(verb: str) -> str:
    """A verb that Python keeps for itself has a module of another name; a dash becomes an underscore."""
    return {"exec": "exec_"}.get(verb, verb.replace("-", "_"))


def load_verb(name: str) -> Any:
    try:
        command = get_command(importlib.import_module(f"npufleet.commands.{module_of(name)}").app)
    except ImportError as error:
        raise ProjectError(
            f"npufleet {name} cannot be loaded: {error}.",
            code="verb-broken",
            remedy="Install npufleet with all its dependencies again: make setup.",
        ) from error
    command.name = name
    if VERBS[name].answers:
        for one in (command, *getattr(command, "commands", {}).values()):
            one.params.append(_common_options()["as_json"])
    return command


def _common_options() -> dict[str, Any]:
    donor = typer.Typer(add_completion=False)
    donor.command()(_common)
    return {str(option.name): option for option in get_command(donor).params}


def _common(
    inventory: InventoryOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", expose_value=False, help="Answer as one JSON document (schema npufleet/v1).")
    ] = False,
) -> None:
    """Lend its options to the program and to every verb, so that they may stand before or after the verb.

    No verb sees --json: main() has looked for it before anything is parsed.
    """


def build() -> Verbs:
    return Verbs(
        name="npufleet",
        help="From bare Ascend NPU servers to a healthy, guarded fleet that runs NPU containers.",
        no_args_is_help=True,
        commands={name: TyperCommand(name, help=verb.help) for name, verb in VERBS.items()},
        rich_markup_mode="rich",
        params=list(_common_options().values()),
        callback=lambda **_options: None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def call(arguments: Sequence[str]) -> Outcome | int:
    """Parse and run; what stops it on the way becomes a result like any other."""
    command = next((argument for argument in arguments if argument in VERBS), "")
    try:
        outcome = build().main(list(arguments), prog_name="npufleet", standalone_mode=False)
    except NpufleetError as error:
        return error.result(command)
    except _ClickError as error:
        return _usage(command, error)
    except typer.Abort:
        return Result(command, errors=(Failure("interrupted", "Stopped by the operator."),), exit_code=Exit.FAILED)
    if isinstance(outcome, Outcome):
        return outcome
    return outcome if isinstance(outcome, int) else int(Exit.FINE)


def _usage(command: str, error: Exception) -> Outcome | int:
    said = getattr(error, "format_message", lambda: str(error))()
    if not said.strip() or type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]  # the help that click has ready when nothing was asked
        return int(Exit.USAGE)
    verb = f"npufleet {command}" if command in VERBS else "npufleet"
    failure = Failure("usage", said, f"See {verb} --help.")
    return Result(command, errors=(failure,), exit_code=Exit.USAGE)


def wants_json(arguments: Sequence[str]) -> bool:
    """Look before anything is parsed, so that mistakes on the command line are told as JSON too."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in ours


def main(arguments: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows ? for a sign, and no traceback
    sys.exit(_main(given))


def _main(given: Sequence[str]) -> int:
    try:
        outcome = call(given)
        if isinstance(outcome, int):
            return outcome
        return _show(outcome, as_json=wants_json(given))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has seen enough (`npufleet ps | head`); the interpreter must not try to flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.FINE)
    except Exception as error:
        if os.environ.get("NPUFLEET_DEBUG"):
            raise
        return _own_mistake(error, as_json=wants_json(given))


def _show(outcome: Outcome, *, as_json: bool) -> int:
    from npufleet.output import Edge  # noqa: PLC0415  # help has no use for it

    return Edge(as_json=as_json).show(outcome)


def _own_mistake(error: Exception, *, as_json: bool) -> int:
    """Nobody is helped by a traceback, but whoever reports the mistake needs a way to get one."""
    failure = Failure(
        "internal",
        f"npufleet has made a mistake of its own: {type(error).__name__}: {error}",
        "Run it again with NPUFLEET_DEBUG=1 to see where, and report that.",
    )
    return _show(Result("", errors=(failure,), exit_code=Exit.FAILED), as_json=as_json)
