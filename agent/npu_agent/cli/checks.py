"""What `npu-agent doctor` looks at: the agent's own files and doors. Read only."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from npu_agent import config, schema
from npu_agent.config import Config, ConfigError
from npu_agent.health import rules
from npu_agent.http.server import tls_context

FACTS = {"driver": "driver_mounts", "nic": "nic_env", "guard": "metadata_guard"}


@dataclass(frozen=True)
class Check:
    name: str
    fine: bool
    detail: str


def run(path: Path) -> list[Check]:
    try:
        settings = config.load(path)
    except ConfigError as error:
        return [Check("configuration", fine=False, detail=str(error))]
    return [Check("configuration", fine=True, detail=str(path)), *_all(settings)]


def _all(settings: Config) -> Iterator[Check]:
    yield _try("policy", lambda: _policy(settings))
    yield _try("health rules", lambda: _rules(settings))
    yield _try("tokens", lambda: _tokens(Path(settings.tokens_file)))
    yield _try("certificate", lambda: _certificate(settings))
    yield _try("state", lambda: _state(settings.database))
    yield _try("docker socket", lambda: _socket(Path(settings.docker_socket), "Start Docker."))
    yield _try("agent socket", lambda: _socket(settings.socket_path, "Start the agent: systemctl start npu-agent."))
    for name, role in FACTS.items():
        yield _try(f"facts {name}", lambda name=name, role=role: _fact(Path(settings.facts_dir) / f"{name}.json", role))  # type: ignore[misc]  # bound now


def _try(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, fine=True, detail=look())
    except (ConfigError, schema.SchemaError, OSError, ValueError, sqlite3.Error) as error:
        return Check(name, fine=False, detail=str(error))


def _policy(settings: Config) -> str:
    policy = config.load_policy(Path(settings.policy_file))
    return f"images {', '.join(policy.allowed_images)}; mounts under {', '.join(policy.mount_roots)}"


def _rules(settings: Config) -> str:
    path = Path(settings.rules_file)
    rules.read(path)
    return str(path) if path.exists() else "the shipped ones"


def _tokens(path: Path) -> str:
    document = json.loads(path.read_text(encoding="utf-8"))
    schema.check("tokens", document)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ValueError(f"{path} may be read by others than root. Set its mode to 0600.")
    return f"{len(document['tokens'])} tokens"


def _certificate(settings: Config) -> str:
    tls_context(settings)
    return settings.tls.certificate


def _state(path: Path) -> str:
    if not path.exists():
        return f"{path} will be made at the first start"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
    finally:
        connection.close()
    if verdict != "ok":
        raise ValueError(f"{path} is damaged: {verdict}. Move it away; running containers are adopted again.")
    return str(path)


def _socket(path: Path, remedy: str) -> str:
    if not path.is_socket():
        raise ValueError(f"{path} is not there. {remedy}")
    if not os.access(path, os.W_OK):
        raise ValueError(f"{path} may not be used by this user. Run the command as root.")
    return str(path)


def _fact(path: Path, role: str) -> str:
    if not isinstance(json.loads(path.read_text(encoding="utf-8")), dict):
        raise ConfigError(f"{path} is no JSON object. Run the role {role} again.")
    return str(path)
