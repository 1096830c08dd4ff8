"""The ways a simulated tool can fail as a whole: before it says anything, or in how it says it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable

from .state import State

# npu-smi returns its (negative) error code as exit status: -8005 becomes 187, -8020 becomes 172.
NOT_READY = ("dcmi module initialize failed. ret is -8005\n", 187)
OCCUPIED = ("dcmi model initialized failed, because the device is used. ret is -8020\n", 172)
_HEAL_POLL_S = 0.2
_DRIVER_LINE = "DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)\n"


def refusal(state: State) -> tuple[str, int] | None:
    """What npu-smi prints and returns when its driver library does not start; every sub-command is alike."""
    faults = state["faults"]
    for key, (text, status) in (("not_ready", NOT_READY), ("occupied", OCCUPIED)):
        if faults[key]:
            return _DRIVER_LINE + text, status
    return None


def delay(read: Callable[[], State]) -> State:
    """Hang, deaf to a polite end, until the node is healed; or take as long as was asked for."""
    state = read()
    if state["faults"]["hang"]:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while state["faults"]["hang"]:
            time.sleep(_HEAL_POLL_S)
            state = read()
    time.sleep(state["faults"]["slow_s"])
    return state


def spoil(output: str, kind: str | None) -> bytes:
    """What reaches the reader when the tool dies half way or writes nonsense."""
    data = output.encode()
    if kind == "truncated":
        return data[: len(data) * 2 // 5]
    if kind == "binary":
        return bytes((index * 37 + 11) % 256 for index in range(600))
    return b"" if kind == "empty" else data


def emit(output: str, state: State) -> None:
    sys.stdout.buffer.write(spoil(output, state["faults"]["garbage"]))
    sys.stdout.buffer.flush()
