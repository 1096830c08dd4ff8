"""Who holds a lock file: a package manager that waits can then say what it waits for."""

from __future__ import annotations

import glob
import os
import time
from typing import Any, Sequence

from ansible.module_utils.npufleet.run import read


def holder(paths: Sequence[str]) -> dict[str, Any] | None:
    """Who holds a POSIX or flock lock on one of these files, or has its living pid written in one called *.pid."""
    table = read("/proc/locks")
    for path in (found for pattern in paths for found in sorted(glob.glob(pattern))):
        pid = written_pid(path) if path.endswith(".pid") else locker(table, path)
        if pid is not None and pid != os.getpid():
            return {"path": path, "pid": pid, "name": read(f"/proc/{pid}/comm").strip() or "?"}
    return None


def locker(table: str, path: str) -> int | None:
    """The pid in the kernel's table of locks; a line reads `1: POSIX  ADVISORY  WRITE 4711 fe:01:1234 0 EOF`."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    inode = str(state.st_ino)
    for line in table.splitlines():
        words = line.split()
        # A request that itself waits for the lock has an arrow before its kind. Devices are left out of the
        # comparison: some file systems give the kernel's table another number than they give to programs.
        if len(words) >= 6 and words[1] != "->" and words[5].rpartition(":")[2] == inode:
            return int(words[4])
    return None


def written_pid(path: str) -> int | None:
    text = read(path).strip()
    return int(text) if text.isdigit() and os.path.exists(f"/proc/{text}") else None


def wait_free(paths: Sequence[str], timeout_s: float) -> dict[str, Any] | None:
    """Wait until nobody holds one of them; give the holder when the time is over."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = holder(paths)
        if found is None or time.monotonic() >= deadline:
            return found
        time.sleep(0.5)
