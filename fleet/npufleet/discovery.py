"""The inventory as Prometheus takes it: targets for file_sd and http_sd, and a scrape config with each node's token."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from npu_agent import api
from npufleet.inventory import GROUP, Inventory, Node
from npufleet.pki import Credentials


def targets(inventory: Inventory) -> list[dict[str, Any]]:
    """One entry a node; __meta_npufleet_groups is for relabelling, with a comma around every name."""
    return [{"targets": [_target(node)], "labels": _labels(node)} for node in inventory.nodes]


def _target(node: Node) -> str:
    host = f"[{node.address}]" if ":" in node.address else node.address
    return f"{host}:{node.port}"


def _labels(node: Node) -> dict[str, str]:
    groups = [group for group in node.groups if group != GROUP]
    return {"node": node.name, "__meta_npufleet_groups": f",{','.join(groups)}," if groups else ""}


def scrape_config(inventory: Inventory, credentials: Credentials, folder: Path) -> dict[str, Any]:
    """A job for every node, as every node has a token of its own; all of them carry the label job="npufleet"."""
    return {"scrape_configs": [_job(node, credentials.ca, folder) for node in inventory.nodes]}


def _job(node: Node, authority: Path, folder: Path) -> dict[str, Any]:
    return {
        "job_name": f"npufleet/{node.name}",
        "scheme": "https",
        "authorization": {"credentials_file": str(folder / "tokens" / node.name)},
        "tls_config": {"ca_file": str(authority), "server_name": node.name},
        "static_configs": [{"targets": [_target(node)], "labels": {"node": node.name, "job": "npufleet"}}],
    }


def write_scrape_config(inventory: Inventory, credentials: Credentials, folder: Path) -> Path:
    """Write scrape.yml and, beside it, the tokens, which only their owner can read and which only may look."""
    tokens = folder / "tokens"
    tokens.mkdir(parents=True, exist_ok=True)
    tokens.chmod(0o700)
    for node in inventory.nodes:
        _write(tokens / node.name, credentials.token(node.name, api.SCOPE_VIEW))
    for path in tokens.iterdir():
        if path.name not in inventory.names:
            path.unlink()
    path = folder / "scrape.yml"
    _write(path, yaml.safe_dump(scrape_config(inventory, credentials, folder.absolute()), sort_keys=False), mode=0o644)
    return path


def write_targets(inventory: Inventory, path: Path) -> None:
    _write(path, json.dumps(targets(inventory), indent=2) + "\n", mode=0o644)


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace it at once: Prometheus watches these files."""
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def make_server(listen: tuple[str, int], read: Callable[[], Sequence[dict[str, Any]]]) -> ThreadingHTTPServer:
    """Answer every GET with the targets of this moment. Where they cannot be read, Prometheus keeps the last ones."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                status, body = 200, json.dumps(list(read())).encode()
            except Exception as error:  # noqa: BLE001  # whatever it is, the asker must not take it for an empty fleet
                status, body = 503, json.dumps({"error": str(error)}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Prometheus asks every minute; that is no news."""

    server = ThreadingHTTPServer(listen, Handler)
    server.daemon_threads = True
    return server
