"""Chooses from a plain folder of .rpm files what some packages need, for a folder carries no index to ask."""

from __future__ import annotations

import glob
import os
from typing import Any, Callable, Sequence

from ansible.module_utils.npufleet.package_errors import PackageError, describe, excluded
from ansible.module_utils.npufleet.run import run

# One letter a line says what it is. Versions are left out: whether they fit is for the package manager to judge.
FORMAT = "N %{NAME}\\n[P %{PROVIDENAME}\\n][P %{FILENAMES}\\n][R %{REQUIRENAME}\\n]"
TIMEOUT_S = 600


def read_files(folder: str) -> list[dict[str, Any]]:
    paths = sorted(glob.glob(os.path.join(folder, "*.rpm")))
    if not paths:
        raise PackageError(f"{folder} holds no .rpm file. Put the packages there and run this again.")
    done = run("rpm", "--query", "--package", f"--queryformat={FORMAT}", *paths, timeout=TIMEOUT_S)
    files = parse(done.out)
    if done.code != 0 or len(files) != len(paths):
        said = (done.err.strip().splitlines() or ["it could not be read"])[-1]
        raise PackageError(f"{folder} holds a file that is no RPM package ({said}). Fetch it again.")
    return [dict(file, path=path) for file, path in zip(files, paths)]


def parse(listing: str) -> list[dict[str, Any]]:
    """What each file says about itself, in the order in which they were asked."""
    files: list[dict[str, Any]] = []
    for line in listing.splitlines():
        kind, _, word = line.partition(" ")
        if kind == "N":
            files.append({"name": word, "provides": {word}, "requires": set()})
        elif files and kind in ("P", "R") and word != "(none)":
            files[-1]["provides" if kind == "P" else "requires"].add(word)
    return files


def on_node(capability: str) -> bool:
    return capability.startswith("rpmlib(") or run("rpm", "--query", "--whatprovides", capability, timeout=60).code == 0


def choose(folder: str, names: Sequence[str], excludes: Sequence[str], prefix: str) -> list[str]:
    """The files that bring these packages and what they need beyond what is on the node."""
    try:
        return [file["path"] for file in closure(read_files(folder), names, excludes, on_node)]
    except LookupError as missing:
        raise PackageError(describe(f"No match for argument: {missing.args[0]}", excludes, prefix)) from None
    except PermissionError as kept_back:
        raise PackageError(describe(f"requires {kept_back.args[0]}", excludes, prefix)) from None


def closure(
    files: list[dict[str, Any]], names: Sequence[str], excludes: Sequence[str], there: Callable[[str], bool]
) -> list[dict[str, Any]]:
    """LookupError names a wanted package that nothing brings, PermissionError a needed one that is excluded."""
    chosen: list[dict[str, Any]] = []
    needs, seen = list(names), set()
    while needs:
        need = needs.pop(0)
        if need in seen or (need not in names and there(need)):
            continue
        seen.add(need)
        found = [file for file in files if need == file["name"]] or [file for file in files if need in file["provides"]]
        if not found and need in names:
            raise LookupError(need)
        # Of several versions the last by name; a need that nothing here brings is told by the package manager.
        for file in found[-1:]:
            if excluded(file["name"], excludes):
                raise PermissionError(file["name"])
            if file not in chosen:
                chosen.append(file)
                needs += sorted(file["requires"])
    return chosen
