"""What is rolled out: a document with a digest, so that "the last stable one" is a fact and not a memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from npufleet.errors import UsageError

SITE = "site.yml"
_KEYS = {"name", "playbook", "revert_playbook", "tags", "variables", "agent", "engine", "images", "rollout"}
_AGENT_KEYS = {"version", "build_folder"}


@dataclass(frozen=True)
class Revision:
    """`files` are the digests of the files that it names: a revision whose files were changed is another one."""

    name: str
    playbook: str = SITE
    revert_playbook: str = ""
    tags: str = ""
    agent_version: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


# What the inventory itself says: what `npufleet prepare` brings about.
BASELINE = Revision("inventory")


def restore(document: Mapping[str, Any]) -> Revision:
    return Revision(**document)


def read(path: Path, root: Path) -> tuple[Revision, dict[str, Any]]:
    """Read a revision file; beside it give the settings that it carries under `rollout`."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _refuse(path, f"cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise _refuse(path, "is not a mapping of keys")
    if unknown := sorted(set(document) - _KEYS):
        raise _refuse(path, f"has keys that no revision has: {', '.join(map(str, unknown))}")
    settings = document.get("rollout") or {}
    if not isinstance(settings, dict):
        raise _refuse(path, "has no mapping under rollout")
    return _build(path, document, root), settings


def _build(path: Path, document: Mapping[str, Any], root: Path) -> Revision:
    agent = _mapping(path, document, "agent")
    if unknown := sorted(set(agent) - _AGENT_KEYS):
        raise _refuse(path, f"has keys under agent that mean nothing: {', '.join(unknown)}")
    variables = {**_mapping(path, document, "variables"), **_mapping(path, document, "images")}
    if engine := _mapping(path, document, "engine"):
        variables["docker_daemon_options"] = engine
    if folder := agent.get("build_folder"):
        variables["agent_build_folder"] = str((root / str(folder)).resolve())
    plain = Revision(
        name=str(document.get("name") or path.stem),
        playbook=str(document.get("playbook") or SITE),
        revert_playbook=str(document.get("revert_playbook") or ""),
        tags=str(document.get("tags") or ""),
        agent_version=str(agent.get("version") or ""),
        variables=variables,
    )
    return Revision(**{**plain.to_dict(), "files": digests(plain, root)})


def digests(revision: Revision, root: Path) -> dict[str, str]:
    """Digest the operator's playbooks and the agent's manifest; the checkout's site.yml is the checkout's matter."""
    named = [root / name for name in (revision.playbook, revision.revert_playbook) if name not in {"", SITE}]
    if folder := revision.variables.get("agent_build_folder"):
        named.append(Path(str(folder)) / "manifest.json")
    found = {}
    for path in named:
        try:
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise UsageError(
                f"The revision {revision.name} names {path}, which cannot be read: {error.strerror}.",
                code="revision-file",
                remedy="Give a path from the checkout's root, and build the agent first: make agent.",
            ) from None
    return found


def check_files(revision: Revision, root: Path) -> None:
    """Refuse to go on with half of the fleet on one content and half on another."""
    for path, digest in digests(revision, root).items():
        if revision.files.get(path) != digest:
            raise UsageError(
                f"{path} was changed since the rollout of {revision.name} began.",
                code="revision-changed",
                remedy="Put it back to go on, or abort and begin a new rollout with what it is now.",
            )


def _mapping(path: Path, document: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = document.get(key) or {}
    if not isinstance(found, dict):
        raise _refuse(path, f"has no mapping under {key}")
    return {str(name): value for name, value in found.items()}


def _refuse(path: Path, what: str) -> UsageError:
    return UsageError(
        f"The revision {path} {what}.", code="revision-invalid", remedy="docs/how-to/rollout.md has an example."
    )
