"""The one door to other programs of npufleet's modules."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from typing import Any, NamedTuple


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


# Tools live in sbin on most systems, and a login without a profile does not look there.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def which(name: str) -> str | None:
    return shutil.which(name, path=PATH)


def run(*command: str, timeout: float = 10, text: str | None = None, extra: dict[str, str] | None = None) -> Done:
    """Run a command in the C locale; a missing program is code 127, a time-out 124. Never raises."""
    environment = dict(os.environ, LC_ALL="C", PATH=PATH, **(extra or {}))
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        return Done(127, "", str(error))
    try:
        out, err = process.communicate(text.encode() if text is not None else None, timeout=timeout)
    except subprocess.TimeoutExpired:
        _give_up(process)
        return Done(124, "", f"{command[0]} gave no answer within {timeout} s")
    return Done(process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


def _give_up(process: subprocess.Popen[bytes]) -> None:
    # A child stuck in the driver cannot be killed; it must not hold this program as well.
    os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


def read(path: str, default: Any = "") -> Any:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return default
