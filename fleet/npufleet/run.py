"""The one door to other programs: argument lists only, a time limit always, decoded output."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npufleet.errors import ProjectError


@dataclass(frozen=True)
class Output:
    code: int
    stdout: str
    stderr: str


def capture(command: Sequence[str], *, environment: Mapping[str, str], timeout_s: float) -> Output:
    """Run a program to its end; `environment` is added to this process's own."""
    try:
        done = subprocess.run(
            [beside_python(command[0]), *command[1:]],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise ProjectError(
            f"The program {command[0]} was not found.",
            code="tool-missing",
            remedy="Install npufleet with its dependencies: make setup.",
        ) from None
    except subprocess.TimeoutExpired:
        raise ProjectError(
            f"{command[0]} gave no answer within {timeout_s:g} s.",
            code="tool-timeout",
            remedy="Run it by hand to see where it waits; dynamic inventories may need their source to be reachable.",
        ) from None
    return Output(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def beside_python(program: str) -> str:
    """Prefer the tools of this program's own environment, which need not be on PATH."""
    beside = Path(sys.executable).parent / program
    return str(beside) if beside.exists() else program
