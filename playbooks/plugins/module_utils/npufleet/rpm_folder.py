"""Chooses from a plain folder of .rpm files what some packages need, for a folder carries no index to ask."""

from __future__ import annotations

import glob
import os
from typing import Sequence

from ansible.module_utils.npufleet.package_errors import PackageError, describe, excluded
from ansible.module_utils.npufleet.run import run


class File:
    """One .rpm file and what it says about itself."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = query(path, "--queryformat", "%{NAME}\n")[0]
        self.provides = {first_word(line) for line in query(path, "--provides") + query(path, "--list")}
        self.requires = {first_word(line) for line in query(path, "--requires")}


def query(path: str, *words: str) -> list[str]:
    done = run("rpm", "--query", "--package", *words, path, timeout=60)
    if done.code != 0:
        raise PackageError(f"{path} is no RPM package ({done.err.strip()}). Fetch it again.")
    return [line for line in done.out.splitlines() if line.strip()]


def first_word(line: str) -> str:
    """The capability without its version; whether the versions fit is for the package manager to judge."""
    return (
        line.split(maxsplit=1)[0].split("(", maxsplit=1)[0] if line.startswith("config(") else line.split(maxsplit=1)[0]
    )


def on_node(capability: str) -> bool:
    return capability.startswith("rpmlib(") or run("rpm", "--query", "--whatprovides", capability, timeout=60).code == 0


def choose(folder: str, names: Sequence[str], excludes: Sequence[str], prefix: str) -> list[str]:
    """The files that bring these packages and what they need beyond what is on the node."""
    files = [File(path) for path in sorted(glob.glob(os.path.join(folder, "*.rpm")))]
    if not files:
        raise PackageError(f"{folder} holds no .rpm file. Put the packages there and run this again.")
    chosen: list[File] = []
    open_needs, seen = list(names), set()
    while open_needs:
        need = open_needs.pop(0)
        if need in seen or (need not in names and on_node(need)):
            continue
        seen.add(need)
        found = [file for file in files if need == file.name] or [file for file in files if need in file.provides]
        if not found and need in names:
            raise PackageError(describe(f"No match for argument: {need}", excludes, prefix))
        for file in found[-1:]:
            if excluded(file.name, excludes):
                raise PackageError(describe(f"requires {file.name}", excludes, prefix))
            chosen += [file] if file not in chosen else []
            open_needs += sorted(file.requires)
    return [file.path for file in chosen]
