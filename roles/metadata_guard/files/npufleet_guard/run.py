"""The one door to other programs, with a time limit."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Done(NamedTuple):
    code: int
    out: str
    err: str


def run(*command: str, given: str | None = None, timeout_s: float = 30) -> Done:
    """Run a command; one that is missing or hangs is an answer too."""
    environment = {**os.environ, "LC_ALL": "C", "PATH": _SYSTEM_FOLDERS}
    try:
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Done(127, "", str(error))
    return Done(done.returncode, done.stdout, done.stderr)
