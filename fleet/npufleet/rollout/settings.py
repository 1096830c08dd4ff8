"""How a rollout goes: batches, gates, limits, and what to do when it fails; docs/reference/rollout.md has the table."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from npu_agent import api
from npufleet.errors import UsageError
from npufleet.rollout.amounts import Amount, amount, amounts, percent, refuse, seconds

CHECKS, TASK_STATES, MANUAL = "checks", "task_states", "manual"
FAIL, SKIP = "fail", "skip"
PAUSE, CONTINUE, ROLLBACK = "pause", "continue", "rollback"
HOOKS = ("confirm-rollout", "pre-rollout", "rollout", "confirm-promotion", "post-rollout", "rollback")


@dataclass(frozen=True)
class Drain:
    mode: str = api.DRAIN_ALLOW_COMPLETION
    deadline_s: float = 3600.0
    grace_s: float = 300.0
    fail_if_drain_fails: bool = True
    uncordon_after_drain_failure: bool = True


@dataclass(frozen=True)
class Breaker:
    """Trips when this share of the nodes has failed within the window."""

    percent: float = 50.0
    window_s: float = 300.0


@dataclass(frozen=True)
class Settings:
    max_parallel: tuple[Amount, ...] = (1,)
    canary: int = 1
    auto_promote: bool = False
    max_unavailable: Amount | None = None
    health_check: str = CHECKS
    min_healthy_time_s: float = 30.0
    healthy_deadline_s: float = 300.0
    progress_deadline_s: float = 600.0
    max_fail_percentage: float = 0.0
    unreachable: str = FAIL
    failure_action: str = PAUSE
    auto_revert: bool = False
    rollback_parallelism: tuple[Amount, ...] = ()
    failure_limit: int = 0
    consecutive_success_limit: int = 2
    dry_run: tuple[str, ...] = ()
    poll_s: float = 2.0
    groups: tuple[str, ...] = ()
    drain: Drain = field(default_factory=Drain)
    circuit_breaker: Breaker = field(default_factory=Breaker)
    hooks: Mapping[str, str] = field(default_factory=dict)
    hook_timeout_s: float = 300.0

    @property
    def reverts(self) -> bool:
        return self.auto_revert or self.failure_action == ROLLBACK

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read(given: Mapping[str, Any]) -> Settings:
    """Read settings as an operator writes them; what is not said keeps its default."""
    return merge(Settings(), given)


def merge(before: Settings, changes: Mapping[str, Any]) -> Settings:
    """Change some settings of a rollout that is under way."""
    told: dict[str, Any] = {}
    for key, value in {_ALIASES.get(key, key): value for key, value in _nested(changes).items()}.items():
        if key not in _READERS:
            raise _unknown(key)
        name, reader = _READERS[key]
        told[name] = reader(key, value)
    document = before.to_dict()
    for name, value in told.items():
        part, _, inner = name.rpartition(".")
        target = document[_PARTS[part]] if part else document
        target[inner] = value
    merged = restore(document)
    _check_order(merged)
    return merged


def restore(document: Mapping[str, Any]) -> Settings:
    """Read settings as a record keeps them."""
    plain = {one.name: document[one.name] for one in fields(Settings) if one.name in document}
    plain["drain"] = Drain(**document["drain"])
    plain["circuit_breaker"] = Breaker(**document["circuit_breaker"])
    for name in ("max_parallel", "rollback_parallelism", "dry_run", "groups"):
        plain[name] = tuple(document[name])
    return Settings(**plain)


def _nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Write {"drain": {"mode": x}} and "drain.mode" as the same."""
    flat: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping) and key in {"drain", "circuit_breaker"}:
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[key] = value
    return flat


def _check_order(settings: Settings) -> None:
    low, middle, high = settings.min_healthy_time_s, settings.healthy_deadline_s, settings.progress_deadline_s
    if low >= middle:
        raise UsageError(
            f"min_healthy_time ({low:g} s) is not shorter than healthy_deadline ({middle:g} s).",
            code="rollout-settings",
            remedy="A node must be able to be healthy that long before its deadline: lengthen healthy_deadline.",
        )
    if high != 0 and middle >= high:
        raise UsageError(
            f"healthy_deadline ({middle:g} s) is not shorter than progress_deadline ({high:g} s).",
            code="rollout-settings",
            remedy="Lengthen progress_deadline, or set it to 0: then the first unhealthy look fails a node.",
        )


def _unknown(key: str) -> UsageError:
    near = difflib.get_close_matches(key, [*_READERS, *_ALIASES], n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return UsageError(
        f"There is no rollout setting {key}.{meant}",
        code="rollout-settings",
        remedy="docs/reference/rollout.md lists them.",
    )


def _flag(name: str, value: object) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in known:
        raise refuse(name, value, "true or false")
    return known[str(value).lower()]


def _whole(least: int) -> Callable[[str, object], int]:
    def read_whole(name: str, value: object) -> int:
        if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < least:
            raise refuse(name, value, f"a whole number from {least} up")
        return int(str(value))

    return read_whole


def _one_of(*words: str) -> Callable[[str, object], str]:
    def read_word(name: str, value: object) -> str:
        if value not in words:
            raise refuse(name, value, f"one of {', '.join(words)}")
        return str(value)

    return read_word


def _names(name: str, value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise refuse(name, value, "a list of names")
    return tuple(str(item).strip() for item in items)


def _hooks(name: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or set(value) - set(HOOKS):
        raise refuse(name, value, f"commands by their names: {', '.join(HOOKS)}")
    return {str(key): str(command) for key, command in value.items()}


def _poll(name: str, value: object) -> float:
    pause = seconds(name, value)
    if pause <= 0:
        raise refuse(name, value, "a time above 0")
    return pause


def _unavailable(name: str, value: object) -> Amount:
    return amount(name, value)


_PARTS = {"drain": "drain", "breaker": "circuit_breaker"}
_ALIASES = {"serial": "max_parallel", "drain.grace": "drain.grace_time"}
_Reader = tuple[str, Callable[[str, Any], Any]]
_READERS: dict[str, _Reader] = {
    "max_parallel": ("max_parallel", amounts),
    "canary": ("canary", _whole(0)),
    "auto_promote": ("auto_promote", _flag),
    "max_unavailable": ("max_unavailable", _unavailable),
    "health_check": ("health_check", _one_of(CHECKS, TASK_STATES, MANUAL)),
    "min_healthy_time": ("min_healthy_time_s", seconds),
    "healthy_deadline": ("healthy_deadline_s", seconds),
    "progress_deadline": ("progress_deadline_s", seconds),
    "max_fail_percentage": ("max_fail_percentage", percent),
    "unreachable": ("unreachable", _one_of(FAIL, SKIP)),
    "failure_action": ("failure_action", _one_of(PAUSE, CONTINUE, ROLLBACK)),
    "auto_revert": ("auto_revert", _flag),
    "rollback_parallelism": ("rollback_parallelism", amounts),
    "failure_limit": ("failure_limit", _whole(0)),
    "consecutive_success_limit": ("consecutive_success_limit", _whole(1)),
    "dry_run": ("dry_run", _names),
    "poll": ("poll_s", _poll),
    "groups": ("groups", _names),
    "hooks": ("hooks", _hooks),
    "hook_timeout": ("hook_timeout_s", seconds),
    "drain.mode": ("drain.mode", _one_of(*api.DRAIN_MODES)),
    "drain.deadline": ("drain.deadline_s", seconds),
    "drain.grace_time": ("drain.grace_s", seconds),
    "drain.fail_if_drain_fails": ("drain.fail_if_drain_fails", _flag),
    "drain.uncordon_after_drain_failure": ("drain.uncordon_after_drain_failure", _flag),
    "circuit_breaker.percent": ("breaker.percent", percent),
    "circuit_breaker.window": ("breaker.window_s", seconds),
}
NAMES = tuple(_READERS)
