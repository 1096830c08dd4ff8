from __future__ import annotations

import os
import time

import psutil

from npufleet_lab import engine


def test_a_dead_process_that_nobody_collects_has_ended() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    try:
        process = psutil.Process(child)
        deadline = time.monotonic() + 5
        while not engine._ended(process) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.status() == psutil.STATUS_ZOMBIE
        assert engine._ended(process)
    finally:
        os.waitpid(child, 0)
    assert engine._ended(process)


def test_a_living_process_has_not_ended() -> None:
    assert not engine._ended(psutil.Process())
