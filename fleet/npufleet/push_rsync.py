"""rsync, where both sides have it, for what it is better at than a pipe: many small files, and files that changed.

A large file that is new goes through the pipe: there its SHA-256 is made while it arrives.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from npufleet import run
from npufleet.push_remote import PART, SHORT_S, Shell

T = TypeVar("T")
SMALL_BYTES = 4 << 20
# How rsync ends when its connection does.
CUT = (12, 255)
_SHARE = 200
_LITERAL = re.compile(r"^Literal data: ([\d,.]+) bytes", re.MULTILINE)
# Contents decide, not dates; names arrive as they are; progress is told all the time.
_ALWAYS = ("--checksum", "--times", "--perms", "--protect-args", "--stats", "--info=progress2", "--outbuf=N")


def usable(shell: Shell) -> bool:
    return shutil.which("rsync") is not None and shell.ask("command -v rsync", SHORT_S).code == 0


def bulk(shell: Shell, source: Path, base: str, names: Sequence[str], told: Callable[[], None]) -> run.Output:
    """Bring files by their names below a folder. rsync writes beside each file and gives the name at its end."""
    listed = "".join(f"{name}\0" for name in names).encode(errors="surrogateescape")
    options = ("--from0", "--files-from=-", "--partial-dir=.npufleet-rsync")
    return run.follow(_command(shell, options, f"{source}/", f"{base}/"), listed, told)


def update(shell: Shell, source: Path, path: str, told: Callable[[], None]) -> run.Output:
    """Bring a file's part, which is like the file in much of it: only what differs goes over the network."""
    return run.follow(_command(shell, ("--inplace", "--no-whole-file"), str(source), path + PART), b"", told)


def begin_with(path: str) -> str:
    """The node's line that makes the old file the part to begin with."""
    return f"cp {shlex.quote(path)} {shlex.quote(path + PART)}"


def shares(items: Sequence[T]) -> list[Sequence[T]]:
    """So many names at a time that they fit on a line."""
    return [items[first : first + _SHARE] for first in range(0, len(items), _SHARE)]


def checksums(base: str, names: Sequence[str]) -> str:
    """The node's line that prints the SHA-256 of files in the order of their names."""
    return f"cd {shlex.quote(base)} && sha256sum -- " + " ".join(map(shlex.quote, names))


def literal_bytes(output: run.Output) -> int:
    """What of the files really went over the network."""
    found = _LITERAL.search(output.stdout)
    return int(re.sub(r"[,.]", "", found[1])) if found else 0


def _command(shell: Shell, options: Sequence[str], source: str, target: str) -> list[str]:
    host = shell.target
    user, at, address = host.rpartition("@")
    place = f"{user}{at}[{address}]" if ":" in address else host
    return ["rsync", *_ALWAYS, *options, "--rsh", shlex.join(shell.ssh()), source, f"{place}:{target}"]
