"""npufleet inventory: check it, show it, and tell Prometheus of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from npufleet import discovery, inventory_check, pki, role_inputs
from npufleet import inventory as inventories
from npufleet.commands.options import InventoryOption, LimitOption
from npufleet.errors import UsageError
from npufleet.fleet import open_inventory
from npufleet.inventory import Node
from npufleet.project import ansible_environment, find_inventory, find_project, inventory_folder
from npufleet.result import Exit, Failure, Feed, Line, Outcome, Result
from npufleet.views import inventory as view

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _inventory(inventory: InventoryOption = None) -> None:
    """Check the inventory, show it, and tell Prometheus of it."""


@app.command()
def check(inventory: InventoryOption = None) -> Outcome:
    """Check the inventory: misspelt variables, nodes twice, files that are never read.

    Exit codes: 0 nothing, or only warnings; 1 errors.
    """
    source = find_inventory(inventory)
    document = inventories.read_document(source, ansible_environment())
    checked = inventory_check.Source(
        document, inventory_folder(source), role_inputs.read(find_project().root / "roles")
    )
    if not checked.nodes:
        inventories.parse(document, source)  # it says why there are none
    found = inventory_check.check(checked)
    errors = [finding for finding in found if finding.severity == inventory_check.ERROR]
    return Result(
        "inventory",
        data={"nodes": len(checked.nodes), "findings": [finding.to_dict() for finding in found]},
        errors=tuple(Failure(finding.code, finding.text, finding.remedy) for finding in errors),
        exit_code=Exit.FAILED if errors else Exit.FINE,
        view=lambda: view.findings(found, len(checked.nodes), str(source)),
        view_tells_errors=True,
    )


@app.command(name="list")
def list_nodes(inventory: InventoryOption = None, limit: LimitOption = None) -> Outcome:
    """List the nodes: where their agents listen, how SSH reaches them, and their groups."""
    found = open_inventory(inventory, limit=limit)
    return Result(
        "inventory",
        data={"source": str(found.source), "nodes": [_to_dict(node) for node in found.nodes]},
        view=lambda: view.listing(found.nodes),
    )


@app.command()
def show(
    node: Annotated[str, typer.Argument(help="Its name in the inventory.")], inventory: InventoryOption = None
) -> Outcome:
    """Show all that the inventory says of one node; what looks like a secret is left out."""
    found = open_inventory(inventory).node(node)
    told = {name: view.shown(name, value) for name, value in sorted(found.variables.items())}
    return Result("inventory", data={**_to_dict(found), "variables": told}, view=lambda: view.detail(found, told))


def _to_dict(node: Node) -> dict[str, Any]:
    return {
        "node": node.name,
        "agent": f"{node.address}:{node.port}",
        "ssh": {"host": node.ssh.host, "port": node.ssh.port, "user": node.ssh.user},
        "groups": list(node.groups),
    }


OutputOption = Annotated[Path | None, typer.Option("-o", "--output", help="Write it here.", show_default=False)]


@app.command()
def file_sd(output: OutputOption = None, inventory: InventoryOption = None) -> Outcome:
    """Print or write the nodes as Prometheus' file_sd takes them."""
    found = open_inventory(inventory)
    targets = discovery.targets(found)
    if output is None:
        return Result("inventory", data={"targets": targets}, text=view.as_json(targets))
    _into(output.parent)
    discovery.write_targets(found, output)
    return _written(output, len(targets))


@app.command()
def scrape_config(
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder for scrape.yml and the nodes' tokens.")],
    inventory: InventoryOption = None,
) -> Outcome:
    """Write a scrape config for Prometheus, with the token of every node, for its scrape_config_files."""
    found = open_inventory(inventory)
    credentials = pki.load(found.folder)
    _into(output.parent)
    return _written(discovery.write_scrape_config(found, credentials, output), len(found.nodes))


@app.command()
def http_sd(
    listen: Annotated[str, typer.Option(help="Address and port.")] = "127.0.0.1:9105", inventory: InventoryOption = None
) -> Outcome:
    """Serve the nodes as Prometheus' http_sd takes them, read anew at every request, until you interrupt."""
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--listen {listen} is no address with a port.", remedy="Write 127.0.0.1:9105.")
    source = find_inventory(inventory)
    open_inventory(source)  # a mistake in it is told now
    return Feed("inventory", _serve((host or "127.0.0.1", int(port)), source))


def _serve(listen: tuple[str, int], source: Path) -> Iterator[Line]:
    try:
        server = discovery.make_server(listen, lambda: discovery.targets(open_inventory(source)))
    except OSError as error:
        raise UsageError(
            f"Nothing can listen on {listen[0]}:{listen[1]}: {error.strerror}.", remedy="Choose another --listen."
        ) from None
    url = f"http://{listen[0]}:{listen[1]}/"
    with server:
        yield Line(lambda: Text(f"the targets of {source} are at {url}"), {"url": url})
        server.serve_forever()


def _into(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError(f"The folder {folder} does not exist.", remedy="Make it, or choose another --output.")


def _written(path: Path, nodes: int) -> Result:
    return Result("inventory", data={"path": str(path), "nodes": nodes}, view=lambda: Text(f"{path}: {nodes} nodes"))
