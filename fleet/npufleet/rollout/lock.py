"""One operator at a time: a lock that the kernel gives back when its process is gone, however it went."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from npufleet.errors import NpufleetError


class LockedError(NpufleetError):
    code = "rollout-locked"


@dataclass(frozen=True)
class Holder:
    operator: str
    host: str
    pid: int
    rollout: str = ""

    def sentence(self) -> str:
        return f"{self.operator} on {self.host} (process {self.pid})"


def me(rollout: str = "") -> Holder:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return Holder(user, socket.gethostname(), os.getpid(), rollout)


class Lock:
    """The file tells who has it; whether anybody has it the kernel knows: a text left behind locks nobody out."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self.stale: Holder | None = None

    def take(self, rollout: str = "") -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _read(file)
            file.close()
            who = holder.sentence() if holder else "another process"
            raise LockedError(
                f"A rollout of this inventory is being moved by {who}.",
                remedy="Watch it with npufleet rollout status; npufleet rollout pause stops it after its present step.",
            ) from None
        self._file, self.stale = file, _read(file)
        self.name(rollout)

    def name(self, rollout: str) -> None:
        """Write who has the lock, and for which rollout."""
        assert self._file is not None, "taken before"
        self._file.truncate(0)
        self._file.write(json.dumps(vars(me(rollout))))
        self._file.flush()

    def release(self) -> None:
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def drop(self) -> None:
        """Let go as a process does that dies: the text stays."""
        if self._file is not None:
            self._file.close()
            self._file = None


def holder(path: Path) -> Holder | None:
    """Who holds the lock right now; None when nobody does, whatever a dead process has left in the file."""
    if not path.exists():
        return None
    with path.open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _read(file) or Holder("somebody", "an unknown host", 0)
    return None


def _read(file: TextIO) -> Holder | None:
    file.seek(0)
    try:
        return Holder(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None
