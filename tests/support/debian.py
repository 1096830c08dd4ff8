"""Programs of Debian 12 that the tests measure against: fetched by apt and unpacked under build/, never installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.repo import ROOT

FOLDER = ROOT / "build" / "debian"


@dataclass(frozen=True)
class Program:
    """A program and the environment that lets it find the libraries that came with it."""

    path: Path
    env: Mapping[str, str]


def program(name: str, package: str, *libraries: str) -> Program:
    """Return the machine's own program where it has one, else Debian's, fetched once.

    Nothing is installed: no service starts, no user is made, and the machine is as it was.
    """
    own = shutil.which(name)
    if own:
        return Program(Path(own), dict(os.environ))
    root = FOLDER / package
    path = root / "usr/bin" / name
    if not path.is_file():
        _fetch(root, [package, *libraries])
    folders = ":".join(str(folder) for folder in sorted((root / "usr/lib").glob("*-linux-gnu")))
    return Program(path, {**os.environ, "LD_LIBRARY_PATH": folders})


def _fetch(root: Path, packages: list[str]) -> None:
    """Unpack beside the target and rename: of two tests that fetch at once, neither sees half of it."""
    work = root.with_name(f".{root.name}-{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    (work / "debs").mkdir(parents=True)
    if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        run(["apt-get", "update", "-q"], work)
    run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *packages], work / "debs")
    for archive in sorted((work / "debs").glob("*.deb")):
        run(["dpkg-deb", "-x", str(archive), str(work / "root")], work)
    try:
        (work / "root").rename(root)
    except OSError:
        if not root.is_dir():
            raise
    shutil.rmtree(work)


def run(command: list[str], folder: Path) -> None:
    """Run a program of these in a folder, or stop with its last words."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise RuntimeError(
            f"{' '.join(command)} failed: {' '.join(words)}"
            " These tests need Debian 12 with working package sources: run apt-get update and try again."
        )
