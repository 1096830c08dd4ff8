from __future__ import annotations

import ctypes
import os
import resource

from npu_agent import privacy

PR_GET_DUMPABLE = 3


def test_no_core_is_made_of_the_agent() -> None:
    """In a process of its own: what is given up cannot be taken back."""
    child = os.fork()
    if child == 0:
        privacy.keep_memory_in()
        dumpable = ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
        os._exit(0 if (dumpable, resource.getrlimit(resource.RLIMIT_CORE)) == (0, (0, 0)) else 1)
    assert os.waitpid(child, 0)[1] == 0
