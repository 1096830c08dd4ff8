"""Tokens, the build and the interpreter of the node agent."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCOPES = {"operate": ["view", "operate"], "view": ["view"]}
OLDEST_PYTHON = (3, 9)


def npufleet_token(secret: str, scope: str, node: str) -> str:
    """The bearer token of one scope for one node: a node that is broken into gives no token for another."""
    message = f"npufleet-token-v1|{scope}|{node}".encode()
    return "npf_" + hmac.new(secret.strip().encode(), message, hashlib.sha256).hexdigest()


def npufleet_tokens_document(secret: str, node: str, clients: list[dict[str, Any]] | None = None) -> str:
    """tokens.json of one node: names, scopes and hashes, never a token; and whose certificates may do what."""
    tokens = [
        {
            "name": f"fleet-{scope}",
            "sha256": hashlib.sha256(npufleet_token(secret, scope, node).encode()).hexdigest(),
            "scopes": rights,
        }
        for scope, rights in SCOPES.items()
    ]
    document = {"tokens": tokens, **({"clients": clients} if clients else {})}
    return json.dumps(document, indent=2) + "\n"


def npufleet_agent_build(folder: str, arch: str) -> dict[str, Any]:
    """The built agent for an architecture, or `error`: one sentence with the remedy."""
    manifest_path = Path(folder) / "manifest.json"
    remedy = "build it with `make agent` on the control machine and run this again."
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    except OSError:
        return {"error": f"the agent is not built ({manifest_path} is not there): {remedy}"}
    artefact = manifest["artefacts"].get(arch)
    if artefact is None:
        built = ", ".join(sorted(manifest["artefacts"]))
        return {"error": f"the agent is built for {built} but not for this node's {arch}: {remedy}"}
    if not (Path(folder) / artefact["file"]).is_file():
        return {"error": f"{manifest_path} names {artefact['file']}, which is not there: {remedy}"}
    stem = Path(artefact["file"]).stem
    return {
        "source": str(Path(folder) / artefact["file"]),
        "sha256": artefact["sha256"],
        "version": manifest["version"],
        "release": f"{stem}-{artefact['sha256'][:8]}.pyz",
    }


def npufleet_agent_python(system: Mapping[str, Any], told: str = "") -> str:
    """The interpreter that runs the agent; empty when the node has none that is new enough."""
    if told:
        return told
    own = system["python"]
    if version_of(own["version"]) >= OLDEST_PYTHON:
        return str(own["executable"])
    newer = [python for python in system["pythons"] if version_of(python["version"]) >= OLDEST_PYTHON]
    return str(newer[0]["path"]) if newer else ""


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def npufleet_old_releases(files: Mapping[str, Mapping[str, Any]], folder: str, current: str, keep: int) -> list[str]:
    """Releases beyond the newest `keep`, oldest first; the current one always stays."""
    others = [path for path in files if path.startswith(f"{folder}/") and path.endswith(".pyz")]
    others = sorted((path for path in others if path != f"{folder}/{current}"), key=lambda path: files[path]["mtime"])
    return others[: max(0, len(others) - max(keep - 1, 0))]


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {
            "npufleet_agent_build": npufleet_agent_build,
            "npufleet_agent_python": npufleet_agent_python,
            "npufleet_old_releases": npufleet_old_releases,
            "npufleet_token": npufleet_token,
            "npufleet_tokens_document": npufleet_tokens_document,
        }
