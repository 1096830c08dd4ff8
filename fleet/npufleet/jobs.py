"""From the words of a command line or a job file to a workload spec; whatever is not understood is refused by name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from npu_agent import api
from npufleet import wire
from npufleet.errors import UsageError
from npufleet.inventory import did_you_mean
from npufleet.job.layout import Layout

SPEC_KEYS = tuple(f.name for f in dataclasses.fields(api.WorkloadSpec))
LAYOUT_KEYS = tuple(f.name for f in dataclasses.fields(Layout))
JOB_KEYS = ("node", *LAYOUT_KEYS, *SPEC_KEYS)
RESOURCE_KEYS = tuple(f.name for f in dataclasses.fields(api.Resources))
MOUNT_KEYS = tuple(f.name for f in dataclasses.fields(api.Mount))
FILE_KEYS = tuple(f.name for f in dataclasses.fields(api.TextFile))
K = TypeVar("K", dict[str, Any], list[Any], str)
_RANGE = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True)
class Job:
    """A workload and, where the operator chose one, its node; with a layout it is one rank of several."""

    spec: api.WorkloadSpec
    node: str | None = None
    layout: Layout | None = None


@dataclass(frozen=True)
class Words:
    """What was said on the command line; None and empty mean not said."""

    image: str | None = None
    name: str | None = None
    node: str | None = None
    npus: str | None = None
    profile: str | None = None
    network: str | None = None
    restart: str | None = None
    workdir: str | None = None
    cpus: float | None = None
    memory: str | None = None
    shm: str | None = None
    mounts: Sequence[str] = ()
    env: Sequence[str] = ()
    command: Sequence[str] = field(default=())


def build(words: Words, document: Mapping[str, Any] | None = None) -> Job:
    """Put the command line over the job file: what was typed wins, mounts and variables add up."""
    keys = {**(document or {}), **_said(words)}
    resources = {key: getattr(words, key) for key in RESOURCE_KEYS if getattr(words, key) is not None}
    if resources:
        keys["resources"] = {**_shaped(keys, "resources", dict), **resources}
    if words.mounts:
        keys["mounts"] = [*_shaped(keys, "mounts", list), *(parse_mount(text) for text in words.mounts)]
    if words.env:
        keys["env"] = {**_shaped(keys, "env", dict), **dict(parse_env(text) for text in words.env)}
    node = _shaped(keys, "node", str) or None
    keys.pop("node", None)
    layout = Layout.take(keys)
    if layout is not None and node is not None:
        raise UsageError("The job has node and nodes.", remedy="Give nodes: [NAME, ...] alone.", code="invalid-spec")
    for needed, how in (("image", "IMAGE"), ("name", "--name NAME"), ("npus", "--npus COUNT")):
        if keys.get(needed) in (None, "") and not (needed == "npus" and keys.get("profile") in api.PROFILE_NPUS):
            raise UsageError(f"The workload has no {needed}.", remedy=f"Give {how}, or {needed} in the job file.")
    try:
        return Job(wire.read(api.WorkloadSpec, keys), node, layout)
    except wire.WireError as error:
        raise UsageError(f"The job is not understood: {error}.", code="invalid-spec") from None


def _said(words: Words) -> dict[str, Any]:
    plain = {key: getattr(words, key) for key in ("image", "name", "node", "profile", "network", "restart", "workdir")}
    said = {key: value for key, value in plain.items() if value is not None}
    if words.npus is not None:
        said["npus"] = parse_npus(words.npus)
    if words.command:
        said["command"] = list(words.command)
    return said


def _shaped(keys: Mapping[str, Any], key: str, kind: type[K]) -> K:
    """Give what a job file has under a key, or an empty one; another shape is refused."""
    value = keys.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        shape = {dict: "a mapping", list: "a list", str: "a text"}[kind]
        raise UsageError(f"The job's {key} must be {shape}, not {value!r}.", code="invalid-spec")
    return value


def parse_npus(text: str) -> int | str | list[int]:
    """Read "all", a count such as "2", or ids such as "3,4", "0-3" and, for one alone, "3,"."""
    if text == "all":
        return text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    ids: list[int] = []
    for part in filter(None, text.split(",")) if "," in text or "-" in text else ():
        span = _RANGE.fullmatch(part)
        if span is None and not part.isdecimal():
            raise _not_npus(text)
        first, last = (int(span[1]), int(span[2])) if span else (int(part), int(part))
        ids += range(first, last + 1)
    if not ids or len(set(ids)) != len(ids):
        raise _not_npus(text)
    return ids


def parse_npu_ids(text: str) -> list[int]:
    """Read physical ids: "3", "0-3,6"."""
    ids = parse_npus(f"{text},")
    assert isinstance(ids, list), "with a comma they are ids"
    return ids


def _not_npus(text: str) -> UsageError:
    return UsageError(
        f"--npus {text!r} is not understood.",
        remedy='Give a count ("2"), "all", or ids: "3,4", "0-3", or "3," for NPU 3 alone.',
    )


def parse_mount(text: str) -> dict[str, Any]:
    """Read SOURCE:TARGET, SOURCE:TARGET:ro or :rw."""
    parts = text.split(":")
    mode = parts[2] if len(parts) == 3 else "rw"
    if len(parts) not in {2, 3} or not parts[0] or not parts[1] or mode not in {"ro", "rw"}:
        raise UsageError(f"--mount {text!r} is not understood.", remedy="Give SOURCE:TARGET or SOURCE:TARGET:ro.")
    return {"source": parts[0], "target": parts[1], "read_only": mode == "ro"}


def parse_env(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--env {text!r} is not understood.", remedy="Give KEY=VALUE.")
    return key, value


def read_file(path: Path) -> dict[str, Any]:
    """Read a job file: the keys of a workload spec, and `node`."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"The job file {path} cannot be read: {reason}.", code="job-unreadable") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "it is not YAML"
        raise UsageError(f"The job file {path}{where}: {what}.", code="job-unreadable") from None
    if not isinstance(document, dict):
        raise UsageError(
            f"The job file {path} is not a mapping.", code="job-unreadable", remedy="Begin with name:, image:, npus:."
        )
    _refuse_unknown(path, "", document, JOB_KEYS)
    _refuse_unknown(path, "resources.", document.get("resources"), RESOURCE_KEYS)
    for key, known in (("mounts", MOUNT_KEYS), ("files", FILE_KEYS)):
        items = document.get(key)
        for item in items if isinstance(items, list) else ():
            _refuse_unknown(path, f"{key}.", item, known)
    return document


def _refuse_unknown(path: Path, prefix: str, document: object, known: Sequence[str]) -> None:
    """A misspelt key must not be passed over: what it asked for would silently not happen."""
    for key in document if isinstance(document, Mapping) else ():
        if key not in known:
            raise UsageError(
                f"The job file {path} has an unknown key {prefix}{key}.{did_you_mean(str(key), known)}",
                code="job-unknown-key",
                remedy=f"Known here: {', '.join(known)}.",
            )
