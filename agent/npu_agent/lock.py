"""The lock that programs of ours take around every npu-smi call: the tool must not run twice at a time on one host."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_S = 0.02


class LockTimeoutError(Exception):
    """Somebody else kept the lock for longer than the caller would wait."""


@contextlib.contextmanager
def hold(path: Path, *, timeout_s: float) -> Iterator[int]:
    """Take the lock and yield its descriptor.

    A child that inherits the descriptor keeps the lock until it really ends. So a tool that cannot be killed keeps
    every other program of ours away, a restarted agent included.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(descriptor, path, timeout_s)
        yield descriptor
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not _taken(descriptor):
        if time.monotonic() >= deadline:
            words = f"another program has held {path} for more than {timeout_s:g} s"
            raise LockTimeoutError(f"{words}; `fuser {path}` tells which")
        time.sleep(_POLL_S)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
