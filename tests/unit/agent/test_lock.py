"""The lock around npu-smi."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from npu_agent import lock


def test_a_second_holder_waits_in_vain_and_gets_it_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "run" / "npu-smi.lock"
    first = lock.hold(path, timeout_s=1)
    with first, pytest.raises(lock.LockTimeoutError, match=r"npu-smi\.lock"), lock.hold(path, timeout_s=0.05):
        pass
    with lock.hold(path, timeout_s=0) as descriptor:
        assert descriptor > 2


def test_a_copy_of_the_descriptor_keeps_the_lock(tmp_path: Path) -> None:
    # This is what a child that cannot be killed does.
    path = tmp_path / "npu-smi.lock"
    with lock.hold(path, timeout_s=0) as descriptor:
        kept = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64)
    with pytest.raises(lock.LockTimeoutError), lock.hold(path, timeout_s=0):
        pass
    os.close(kept)
    with lock.hold(path, timeout_s=0) as descriptor:
        assert descriptor > 2
