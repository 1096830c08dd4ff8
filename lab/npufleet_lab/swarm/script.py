"""What is wrong on purpose with which simulated node, as files that may change at any moment."""

from __future__ import annotations

import fnmatch
import os
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from npufleet_lab.errors import LabUsageError

USAGE = (
    "dead (nothing listens), hang (takes the call and never answers), slow=SECONDS, garbage, unhealthy, unknown,"
    " npu=N (alarm), flap=SECONDS (in turn healthy and not), unhealthy-on=VERSION, heal"
)
COMMANDS = "50-commands.yml"
START = "00-start.yml"
_PLAIN = {"dead", "hang", "garbage", "unhealthy", "unknown"}
_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")


@dataclass(frozen=True)
class Setting:
    """How one node behaves; `npus` are those in alarm, and `unhealthy_on` is an agent version that does not suit it."""

    dead: bool = False
    hang: bool = False
    garbage: bool = False
    unhealthy: bool = False
    unknown: bool = False
    slow_s: float = 0.0
    flap_s: float = 0.0
    npus: tuple[int, ...] = ()
    unhealthy_on: str = ""
    version: str = ""


def parse(words: Iterable[str], base: Setting | None = None) -> Setting:
    """Read words such as `slow=2 npu=3`; they replace all faults before, and leave the version."""
    setting = Setting(version=base.version if base else "")
    for word in words:
        name, _, value = word.partition("=")
        if word in _PLAIN:
            plain: dict[str, Any] = {word: True}
            setting = replace(setting, **plain)
        elif word != "heal":
            setting = replace(setting, **_valued(word, name, value, setting))
    return setting


def _valued(word: str, name: str, value: str, now: Setting) -> dict[str, Any]:
    try:
        if name in {"slow", "flap"}:
            return {f"{name}_s": _seconds(value)}
        if name == "npu":
            return {"npus": (*now.npus, int(value))}
        if name in {"unhealthy-on", "version"} and value:
            return {name.replace("-", "_"): value}
    except ValueError:
        pass
    raise LabUsageError(f"{word} is no fault of a simulated fleet.", f"Faults are: {USAGE}.")


def _seconds(value: str) -> float:
    seconds = float(value.removesuffix("s"))
    if not 0 < seconds < 86400:
        raise ValueError(value)
    return seconds


@dataclass
class Script:
    """The control folder: every *.yml in it maps patterns of node names to settings; what is read later wins."""

    folder: Path
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    _documents: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def changed(self) -> bool:
        """Read again what was written since the last time this was asked, and say whether there was anything."""
        with os.scandir(self.folder) as found:
            stamps = {e.name: (e.stat().st_mtime_ns, e.stat().st_size) for e in found if e.name.endswith(".yml")}
        before, self._stamps = self._stamps, stamps
        for name in stamps.keys() | before.keys():
            if name not in stamps:
                del self._documents[name]
            elif stamps[name] != before.get(name):
                self._documents[name] = _document(self.folder / name)
        return stamps != before

    def read(self, names: Sequence[str]) -> dict[str, Setting]:
        settings = dict.fromkeys(names, Setting())
        for _, document in sorted(self._documents.items()):
            for pattern, value in document.items():
                matching = [pattern] if pattern in settings else fnmatch.filter(names, pattern)
                for name in matching:
                    settings[name] = _merged(settings[name], value)
        return settings


def _document(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise LabUsageError(f"{path} cannot be read: {error}.", "It maps names of nodes to faults.") from None
    if not isinstance(document, dict):
        raise LabUsageError(f"{path} is no mapping.", "It maps names of nodes to faults.")
    return {str(key): value for key, value in document.items()}


def _merged(before: Setting, value: Any) -> Setting:
    """A text is faults; a mapping may have `faults` and `version`, and what it leaves out stays."""
    given = {"faults": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or not given.keys() <= {"faults", "version"}:
        raise LabUsageError(f"{value!r} is no setting of a node.", "Give faults, or a mapping of faults and version.")
    setting = parse(str(given["faults"] or "").split(), before) if "faults" in given else before
    return replace(setting, version=str(given["version"])) if "version" in given else setting


def spread(shares: Iterable[str], names: Sequence[str], seed: int) -> dict[str, str]:
    """Give `5% dead` and the like to nodes by chance, each node at most one, the same ones for the same seed."""
    waiting = list(names)
    random.Random(seed).shuffle(waiting)  # noqa: S311  # picks nodes, not keys
    found: dict[str, str] = {}
    for share in shares:
        who, _, words = share.strip().partition(" ")
        parse(words.split())
        if part := _SHARE.fullmatch(who):
            count = round(len(names) * float(part[1]) / 100)
            found.update(dict.fromkeys(sorted(waiting[:count]), words))
            waiting = waiting[count:]
        elif matching := fnmatch.filter(names, who):
            found.update(dict.fromkeys(matching, words))
        else:
            raise LabUsageError(f"No node of this fleet is called {who}.", 'Write "5% dead" or "sim-0003 hang".')
    return found


def write(folder: Path, name: str, document: Mapping[str, Any]) -> None:
    """Replace a file at once: the fleet reads it at any moment."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{name}.{os.getpid()}"
    draft.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")
    draft.replace(folder / name)


def command(folder: Path, pattern: str, words: Sequence[str]) -> None:
    """Add what is said on the command line to what was said there before; the last word on a node counts."""
    parse(words)
    path = folder / COMMANDS
    before = dict(_document(path)) if path.is_file() else {}
    before.pop(pattern, None)
    write(folder, COMMANDS, {**before, pattern: {"faults": " ".join(words)}})
