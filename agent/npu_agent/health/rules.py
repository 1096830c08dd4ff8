"""The rules that verdicts rest on: data that ships with the agent, in which a site may change single keys."""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Optional

from npu_agent import api, schema

SITE_FILE = "/etc/npufleet/health.yaml"


class RulesError(ValueError):
    """A site's rules cannot be used: one sentence with the remedy."""


@dataclass(frozen=True)
class Judgement:
    state: str
    action: str


@dataclass(frozen=True)
class Threshold:
    """Limits of one value; None is not judged. It is believed after `looks` in a row."""

    degraded: Optional[float] = None
    unhealthy: Optional[float] = None
    looks: int = 1
    action: str = "none"
    dry_run: bool = False

    def state(self, value: Optional[float], *, low_is_bad: bool = False) -> Optional[str]:
        """Say how bad a value is; None for one within the limits, or not known."""
        if value is None:
            return None
        for state, limit in ((api.UNHEALTHY, self.unhealthy), (api.DEGRADED, self.degraded)):
            if limit is not None and (value < limit if low_is_bad else value >= limit):
                return state
        return None


@dataclass(frozen=True)
class Pattern:
    """Which faults a rule is about: of components of one kind, by mark or by the level of a code."""

    name: str
    component: str
    judgement: Judgement
    marks: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    dry_run: bool = False


@dataclass(frozen=True)
class DurationRule:
    pattern: Pattern
    lasts_s: float
    recovers_s: float = 0.0


@dataclass(frozen=True)
class FrequencyRule:
    pattern: Pattern
    times: int
    within_s: float
    release_s: float = 0.0


@dataclass(frozen=True)
class Flapping:
    times: int
    within_s: float
    quiet_s: float


@dataclass(frozen=True)
class Escalation:
    after_reboots: int = 2
    within_s: float = 604800.0
    actions: tuple[str, ...] = ()
    action: str = "replace-hardware"
    dry_run: bool = False


@dataclass(frozen=True)
class Rules:
    """`trouble` says why a site's own file is not in force."""

    levels: Mapping[str, Judgement]
    words: Mapping[str, Judgement]
    codes: Mapping[str, str] = field(default_factory=dict)
    recovery_looks: Mapping[str, int] = field(default_factory=dict)
    flapping: Mapping[str, Flapping] = field(default_factory=dict)
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    unsynchronised: str = api.DEGRADED
    step_told_s: float = 600.0
    link_down: Judgement = Judgement(api.DEGRADED, "fix-configuration")
    net_health: Mapping[str, Judgement] = field(default_factory=dict)
    duration: tuple[DurationRule, ...] = ()
    frequency: tuple[FrequencyRule, ...] = ()
    escalation: Escalation = field(default_factory=Escalation)
    rings: tuple[tuple[str, int], ...] = ()
    trouble: Optional[str] = None

    def threshold(self, name: str) -> Threshold:
        return self.thresholds.get(name, Threshold())

    def good_looks(self, component: str) -> int:
        return self.recovery_looks.get(kind(component), self.recovery_looks.get("default", 2))

    def ring_of(self, chip: Optional[str]) -> Optional[int]:
        """How many NPUs a reset of one takes along; None where nobody knows."""
        return next((npus for pattern, npus in self.rings if chip and re.fullmatch(pattern, chip)), None)


def kind(component: str) -> str:
    """The part of a component's name before the slash."""
    return component.partition("/")[0]


@functools.cache
def shipped() -> Rules:
    """Build what ships with the agent; a test holds it against the schema, which takes longer than everything else."""
    return _build(_shipped_document())


@functools.cache
def _shipped_document() -> Mapping[str, Any]:
    import yaml  # noqa: PLC0415  # 15 ms that commands without rules need not pay

    text = resources.files("npu_agent").joinpath("data", "health.yaml").read_text(encoding="utf-8")
    document: Mapping[str, Any] = yaml.safe_load(text)
    return document


def load(path: Path) -> Rules:
    """Give the site's rules over the shipped ones. A file that is wrong changes nothing, and is told in `trouble`."""
    try:
        return read(path)
    except RulesError as error:
        return replace(shipped(), trouble=str(error))


def read(path: Path) -> Rules:
    """As load, but raise RulesError where the site's file is wrong."""
    import yaml  # noqa: PLC0415  # see _shipped_document

    try:
        status = path.stat()
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return shipped()
    except (OSError, UnicodeDecodeError) as error:
        raise RulesError(f"{path} cannot be read: {error}. Correct the file, then restart the agent.") from None
    if status.st_uid not in (0, os.geteuid()) or stat.S_IMODE(status.st_mode) & 0o022:
        raise RulesError(f"{path} can be written by others than root. Run: chown root {path}; chmod 0644 {path}.")
    try:
        own = yaml.safe_load(text) or {}
        if not isinstance(own, dict):
            raise RulesError(f"{path} is no mapping of rules. Correct the file, then restart the agent.")
        return build(merge(_shipped_document(), own)) if own else shipped()
    except yaml.YAMLError as error:
        words = " ".join(str(error).split())
        raise RulesError(f"{path} is not valid YAML: {words}. Correct the file, then restart the agent.") from None
    except schema.SchemaError as error:
        raise RulesError(f"{path}: {error} Correct the file, then restart the agent.") from None
    except re.error as error:
        raise RulesError(f"{path}: rings: {error} in a pattern of chips. Correct the file.") from None


def merge(base: Mapping[str, Any], own: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Key by key; a named rule that is null is gone, a null limit of a threshold stays null."""
    merged = dict(base)
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value, depth + 1)
        elif value is None and depth < 2:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def build(document: Mapping[str, Any]) -> Rules:
    """Raise SchemaError where the document is wrong."""
    schema.check("health", document)
    for code in document.get("codes") or {}:
        if not re.fullmatch("[0-9A-F]{8,9}", str(code)):
            raise schema.SchemaError("codes", f'codes: {code} is no fault code in quotes, such as "80E01801".')
    return _build(document)


def _build(document: Mapping[str, Any]) -> Rules:
    levels = {name: Judgement(**value) for name, value in document["levels"].items()}
    for entry in document["rings"]:
        re.compile(entry["chips"])
    clock, network = document.get("clock") or {}, document["network"]
    return Rules(
        levels=levels,
        words={name: Judgement(**value) for name, value in document["words"].items()},
        codes=document.get("codes") or {},
        recovery_looks=document.get("recovery_looks") or {},
        flapping={name: Flapping(**value) for name, value in (document.get("flapping") or {}).items()},
        thresholds={name: Threshold(**value) for name, value in document["thresholds"].items()},
        unsynchronised=clock.get("unsynchronised", api.DEGRADED),
        step_told_s=clock.get("step_told_s", 600.0),
        link_down=Judgement(**network["down"]),
        net_health={name: Judgement(**value) for name, value in network["health"].items()},
        duration=tuple(
            DurationRule(_pattern(name, value, levels), value["lasts_s"], value.get("recovers_s", 0.0))
            for name, value in (document.get("duration") or {}).items()
        ),
        frequency=tuple(
            FrequencyRule(_pattern(name, value, levels), value["times"], value["within_s"], value.get("release_s", 0.0))
            for name, value in (document.get("frequency") or {}).items()
        ),
        escalation=_escalation(document.get("escalation") or {}),
        rings=tuple((entry["chips"], entry["npus"]) for entry in document["rings"]),
    )


def _escalation(value: Mapping[str, Any]) -> Escalation:
    return Escalation(**{**value, "actions": tuple(value.get("actions", ()))})


def _pattern(name: str, value: Mapping[str, Any], levels: Mapping[str, Judgement]) -> Pattern:
    if "level" in value:
        if value["level"] not in levels:
            raise schema.SchemaError(name, f"{name}: the level {value['level']} is not among `levels`.")
        judgement = levels[value["level"]]
    elif "state" in value and "action" in value:
        judgement = Judgement(value["state"], value["action"])
    else:
        raise schema.SchemaError(name, f"{name} says neither `level` nor `state` and `action`.")
    if not value.get("marks") and not value.get("levels"):
        raise schema.SchemaError(name, f"{name} says neither `marks` nor `levels`, so it fits nothing.")
    marks = frozenset(
        mark.upper() if re.fullmatch("[0-9a-fA-F]{8,9}", mark) else mark for mark in value.get("marks", ())
    )
    return Pattern(
        name, value["component"], judgement, marks, frozenset(value.get("levels", ())), value.get("dry_run", False)
    )
