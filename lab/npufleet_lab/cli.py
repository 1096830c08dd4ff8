"""`npufleet lab`: boot simulated nodes, break them, heal them, look into them."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from docker.errors import DockerException
from rich.console import Console

from npufleet_lab import access, faults, status
from npufleet_lab.config import LabConfig
from npufleet_lab.errors import LabError
from npufleet_lab.lab import Lab
from npufleet_lab.node.faults import USAGE
from npufleet_lab.node_spec import assign
from npufleet_lab.systems import SYSTEMS

app = typer.Typer(
    name="lab", help="Simulated DevServer nodes on this machine.", no_args_is_help=True, add_completion=False
)
_DEFAULT_SYSTEMS = "debian12,hce2"


@contextmanager
def _plain_errors() -> Iterator[None]:
    """A person reads one sentence and its remedy, never a traceback."""
    try:
        yield
    except LabError as error:
        problem, exit_code = str(error), error.exit_code
    except DockerException as error:
        problem, exit_code = f"The container engine refused: {error}", 1
    except OSError as error:
        problem, exit_code = _of_the_system(error), 1
    else:
        return
    # Plain text: what programs say may look like markup.
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"npufleet lab: {problem}", style="red")
    raise typer.Exit(exit_code)


def _of_the_system(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "The disk is full. Free some space, or set NPUFLEET_LAB_HOME to a folder on a larger disk."
    if isinstance(error, PermissionError):
        return f"{error.filename} may not be used: {error.strerror}. Try again as root."
    return f"The machine refused: {error}. Try again; what is done stays done."


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


@app.command()
def up(
    count: Annotated[int, typer.Option("-n", "--nodes", min=1, max=16, help="How many nodes.")] = 2,
    systems: Annotated[
        str, typer.Option("--os", help=f"Node systems in turn: {', '.join(SYSTEMS)}.")
    ] = _DEFAULT_SYSTEMS,
    chip: Annotated[str, typer.Option(help="Chip families in turn: 910B3, 910A, 310P3, A3.")] = "910B3",
    driver: Annotated[str, typer.Option(help="Driver versions in turn, as 24.1.0 or 23.0.7.")] = "24.1.0",
) -> None:
    """Boot nodes and write their inventory; what is there already is kept."""
    with _plain_errors():
        specs = assign(list(range(1, count + 1)), _words(systems), _words(chip), _words(driver))
        found = Lab().up(specs)
        Console().print(status.view(found))


@app.command()
def down(
    engine: Annotated[
        bool, typer.Option("--engine", help="Stop the container engine too, if the lab started it.")
    ] = False,
    purge_cache: Annotated[
        bool, typer.Option("--purge-cache", help="Forget built images and downloaded packages too.")
    ] = False,
) -> None:
    """Remove the nodes with their volumes and networks."""
    with _plain_errors():
        Lab().down(stop_engine=engine, purge_cache=purge_cache)


@app.command(name="status")
def show_status(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Show the nodes, what they simulate, and what is wrong with them on purpose."""
    with _plain_errors():
        found = Lab().nodes()
        if as_json:
            typer.echo(json.dumps(status.document(LabConfig.from_environment(), found), indent=2))
        elif found:
            Console().print(status.view(found))
        else:
            typer.echo("No lab is running. Start one with `npufleet lab up`.")


# The help is markup to its printer: brackets that are meant as such carry a backslash.
_FAULT_HELP = "Break a node, or heal it. Faults are: " + USAGE.replace("[", "\\[")
_PASS_ON: dict[str, Any] = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@app.command(context_settings=_PASS_ON, short_help="Break a node, or heal it.", help=_FAULT_HELP)
def fault(
    node: Annotated[str, typer.Argument(help="A node's name or number.")],
    words: Annotated[list[str] | None, typer.Argument(help="What is wrong: npu=3 health=Alarm code=80E01801.")] = None,
) -> None:
    with _plain_errors():
        typer.echo(faults.inject(Lab().node(node), words or []))


@app.command(context_settings=_PASS_ON)
def ssh(
    node: Annotated[str, typer.Argument(help="A node's name or number.")],
    command: Annotated[list[str] | None, typer.Argument(help="A command to run there instead of a shell.")] = None,
) -> None:
    """Log in to a node, or run one command there."""
    with _plain_errors():
        access.become_ssh(LabConfig.from_environment(), Lab().node(node), command or [])


@app.command()
def logs(
    node: Annotated[str, typer.Argument(help="A node's name or number.")],
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many lines.")] = 200,
    unit: Annotated[str, typer.Option("-u", "--unit", help="Only this systemd unit.")] = "",
) -> None:
    """Show a node's journal, also when the node is unreachable."""
    with _plain_errors():
        typer.echo(access.journal(Lab().node(node), lines, unit))


@app.command()
def restart(node: Annotated[str, typer.Argument(help="A node's name or number.")]) -> None:
    """Reboot a node from outside and wait until it is back."""
    with _plain_errors():
        lab = Lab()
        with lab.progress.step(f"reboot {node}"):
            lab.restart(node)


@app.command()
def swarm(
    count: Annotated[int, typer.Option("-n", "--nodes", min=1, max=20_000, help="How many nodes.")] = 100,
    faults: Annotated[
        list[str] | None, typer.Option("-f", "--fault", help='Such as "5% dead" or "sim-0003 npu=3"; may be repeated.')
    ] = None,
    name: Annotated[str, typer.Option(help="The inventory is inventory/NAME.")] = "swarm",
    port: Annotated[
        int, typer.Option(min=1024, max=65535, help="The port of every node, each at its own address.")
    ] = 17443,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Into how many processes the nodes are put.")] = 2,
    seed: Annotated[int, typer.Option(help="Chance, for faults that are given in percent.")] = 1,
) -> None:
    """Answer for many nodes that do not exist, on loopback, until it is interrupted: to rehearse and to measure."""
    from npufleet_lab.swarm import command  # noqa: PLC0415  # no other command needs it

    with _plain_errors():
        wanted = command.Wanted(count, name, port, processes, tuple(faults or ()), seed)
        command.run(wanted, lambda words: print(words, flush=True))


@app.command(context_settings=_PASS_ON)
def swarm_fault(
    pattern: Annotated[str, typer.Argument(help="Nodes, such as sim-0003 or 'sim-00[12]*'.")],
    words: Annotated[list[str], typer.Argument(help="What is wrong: dead, hang, npu=3 ...; heal ends it.")],
    name: Annotated[str, typer.Option(help="Of which simulated fleet.")] = "swarm",
) -> None:
    """Break nodes of a running simulated fleet, or heal them."""
    from npufleet_lab.swarm import command  # noqa: PLC0415  # see above

    with _plain_errors():
        typer.echo(command.fault(name, pattern, words))


def main() -> None:
    """Run the lab's commands on their own, without the fleet's command line."""
    app(prog_name="npufleet lab")
