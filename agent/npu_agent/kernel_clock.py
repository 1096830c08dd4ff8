"""What the kernel itself knows of its clock: whether somebody keeps it, and how wrong it may be."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Optional

_UNSYNCHRONISED = 0x40


@dataclass(frozen=True)
class KernelClock:
    """`error_s` is the kernel's own bound of the error; None where nobody keeps the clock."""

    synchronised: bool
    error_s: Optional[float] = None


class _Timex(ctypes.Structure):
    """struct timex of the 64-bit Linux ABI; the tail is room that the kernel may write to."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("maximum_error_us", ctypes.c_long),
        ("estimated_error_us", ctypes.c_long),
        ("status", ctypes.c_int),
        ("tail", ctypes.c_long * 32),
    )


def read() -> Optional[KernelClock]:
    """Ask the kernel, changing nothing (modes is 0); None where it does not answer."""
    timex = _Timex()
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
            return None
    except (OSError, AttributeError):
        return None
    if timex.status & _UNSYNCHRONISED:
        return KernelClock(synchronised=False)
    return KernelClock(synchronised=True, error_s=timex.maximum_error_us / 1e6)
