"""The only door of the lab to other programs on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from npufleet_lab.errors import LabError

_TAIL_LINES = 15


def _environment() -> dict[str, str]:
    """The system's own tool folders belong on the path even where a shell left them out."""
    return {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"}


def run(argv: Sequence[str], *, timeout_s: float = 60, env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return what it wrote to stdout; any failure is a LabError with the last lines."""
    # A fixed locale: what these programs print is parsed.
    full_env = {**_environment(), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", **(env or {})}
    try:
        done = subprocess.run(
            list(argv), capture_output=True, text=True, errors="replace", timeout=timeout_s, env=full_env, check=False
        )
    except FileNotFoundError as error:
        raise LabError(
            f"The program {argv[0]} is not on this machine.", f"Install it, then try again ({error})."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"{argv[0]} did not finish within {timeout_s:.0f} s.", "See whether the machine is overloaded."
        ) from error
    if done.returncode != 0:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_TAIL_LINES:])
        raise LabError(f"`{' '.join(argv[:6])} …` failed with status {done.returncode}:\n{tail}")
    return done.stdout


def start_daemon(argv: Sequence[str], log: Path) -> int:
    """Start a program that outlives this one, in a session of its own; returns its process id."""
    with log.open("ab") as output:
        # Not waited for on purpose: it is stopped later, by another run of the lab, through its pid file.
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            env=_environment(),
        )
    return process.pid


def become(argv: Sequence[str]) -> None:
    """Hand the terminal over to another program; does not return."""
    os.execvp(argv[0], list(argv))  # noqa: S606 - an argument list, no shell; the point is to become ssh
