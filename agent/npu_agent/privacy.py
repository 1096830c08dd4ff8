"""The agent's memory has seen tokens and the environment of workloads: it goes into no core dump."""

from __future__ import annotations

import contextlib
import ctypes
import resource

_PR_SET_DUMPABLE = 4


def keep_memory_in() -> None:
    """For this process only: a program that is started is dumpable again, as it needs to be.

    The limit alone is not enough: a core that is piped to a program is made whatever the limit says.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
