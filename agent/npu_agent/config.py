"""The agent's configuration and the node's container policy, read from root's files and checked by schema."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from npu_agent import api, schema, units
from npu_agent.problem import ProblemError

DEFAULT_PATH = Path("/etc/npufleet/agent.yaml")


class ConfigError(ValueError):
    """A configuration file is missing or wrong: one sentence with the remedy."""


class UnsafeFileError(ConfigError):
    """Somebody else than root could have written the file, so it is not root's word."""

    def __init__(self, words: str, remedy: str) -> None:
        super().__init__(words)
        self.remedy = remedy


@dataclass(frozen=True)
class Listen:
    address: str = "0.0.0.0"  # noqa: S104  # the fleet reaches agents over the network; every answer but two needs a token
    port: int = api.DEFAULT_PORT


@dataclass(frozen=True)
class Tls:
    certificate: str = "/etc/npufleet/tls/server.crt"
    key: str = "/etc/npufleet/tls/server.key"
    ca: str = "/etc/npufleet/tls/ca.crt"


@dataclass(frozen=True)
class Probe:
    fast_interval_s: float = 5.0
    slow_interval_s: float = 60.0
    timeout_s: float = 20.0


@dataclass(frozen=True)
class Config:
    node_name: str
    listen: Listen = field(default_factory=Listen)
    tls: Tls = field(default_factory=Tls)
    tokens_file: str = "/etc/npufleet/tokens.json"
    policy_file: str = "/etc/npufleet/policy.yaml"
    state_dir: str = "/var/lib/npufleet"
    run_dir: str = "/run/npufleet"
    facts_dir: str = "/etc/npufleet/facts.d"
    docker_socket: str = "/var/run/docker.sock"
    rules_file: str = "/etc/npufleet/health.yaml"
    platform_file: Optional[str] = None
    expected_npus: Optional[int] = None
    npu_smi: Optional[str] = None
    probe: Probe = field(default_factory=Probe)

    @property
    def socket_path(self) -> Path:
        return Path(self.run_dir) / "agent.sock"

    @property
    def database(self) -> Path:
        return Path(self.state_dir) / "agent.db"


@dataclass(frozen=True)
class Policy:
    """What root allows containers on this node; the API can read it by its refusals, never change it."""

    allowed_images: tuple[str, ...] = ("*",)
    mount_roots: tuple[str, ...] = ("/mnt", "/data", "/home", "/sfs_turbo")
    allow_privileged: bool = False
    allow_host_network: bool = True
    allow_host_pid: bool = False
    allow_host_ipc: bool = False
    allowed_devices: tuple[str, ...] = ()
    allowed_capabilities: tuple[str, ...] = ()
    shm_floor: str = "1g"

    @property
    def shm_floor_bytes(self) -> int:
        return units.parse_size(self.shm_floor)


def _read_yaml(path: Path, kind: str) -> Mapping[str, Any]:
    import yaml  # noqa: PLC0415  # 15 ms that commands without a file need not pay

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        schema.check(kind, document)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}. Run the agent role, or name another file."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}. Correct the file.") from None
    except schema.SchemaError as error:
        raise ConfigError(f"{path}: {error} Correct the file.") from None
    result: Mapping[str, Any] = document
    return result


def load(path: Path = DEFAULT_PATH) -> Config:
    values = dict(_read_yaml(path, "config"))
    values["listen"] = Listen(**values.get("listen", {}))
    values["tls"] = Tls(**values.get("tls", {}))
    values["probe"] = Probe(**values.get("probe", {}))
    return Config(**values)


class PolicyFile:
    """The policy as it is now; a broken file stops new workloads, never loosens the rules."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: Optional[tuple[int, int, int]] = None
        self._policy = Policy()

    def get(self) -> Policy:
        try:
            stat = self._path.stat()
            signature = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)  # a new owner or mode is a new ctime
        except FileNotFoundError:
            signature = (0, 0, 0)
        if signature != self._seen:
            try:
                self._policy = load_policy(self._path)
            except UnsafeFileError as error:
                raise ProblemError(503, api.CODE_POLICY_UNSAFE, str(error), error.remedy) from error
            except ConfigError as error:
                raise ProblemError(503, api.CODE_POLICY, str(error), "Root must correct the policy file.") from error
            self._seen = signature
        return self._policy


def load_policy(path: Path) -> Policy:
    """An absent file means the defaults, which are the strict side of every question but the image's name."""
    if not path.exists():
        return Policy()
    _check_ownership(path)
    values = dict(_read_yaml(path, "policy"))
    for key in ("allowed_images", "mount_roots", "allowed_devices", "allowed_capabilities"):
        if key in values:
            values[key] = tuple(values[key])
    return Policy(**values)


def _check_ownership(path: Path) -> None:
    """The file and its folder belong to root (or whom the agent runs as), and nobody else may write there."""
    real = path.resolve()
    for place in (real, real.parent):
        stat = place.stat()
        if stat.st_uid not in {0, os.geteuid()}:
            raise UnsafeFileError(
                f"{place} belongs to the user {stat.st_uid}, not to root: the policy in it is not root's.",
                f"Look at what it says, then: chown root:root {place}.",
            )
        if stat.st_mode & 0o022 and not (place.is_dir() and stat.st_mode & 0o1000):
            raise UnsafeFileError(
                f"Others than root may write {place} (mode {stat.st_mode & 0o7777:04o}): its policy is not root's.",
                f"Look at what it says, then: chmod go-w {place}.",
            )
