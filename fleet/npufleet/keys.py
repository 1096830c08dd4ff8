"""Single keys from a terminal, by names that do not depend on the terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down", "\x1b[5~": "pageup", "\x1b[6~": "pagedown",
    "\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace",
}  # fmt: skip


@contextmanager
def unbuffered(descriptor: int | None = None) -> Iterator[int]:
    """Hand over every key at once and without echo; the terminal is as before afterwards, whatever happens."""
    given = sys.stdin.fileno() if descriptor is None else descriptor
    before = termios.tcgetattr(given)
    try:
        tty.setcbreak(given)
        yield given
    finally:
        termios.tcsetattr(given, termios.TCSADRAIN, before)


def read(descriptor: int, timeout_s: float) -> list[str]:
    """The keys that were pressed meanwhile; none when the time is over. A terminal that is gone reads as `q`."""
    ready, _, _ = select.select([descriptor], [], [], timeout_s)
    if not ready:
        return []
    got = os.read(descriptor, 1024).decode(errors="ignore")
    return split(got) if got else ["q"]


def split(text: str) -> list[str]:
    """Tell escape sequences from single keys: the longest name that fits is taken first."""
    keys: list[str] = []
    while text:
        sequence = next((s for s in sorted(_NAMES, key=len, reverse=True) if text.startswith(s)), text[0])
        keys.append(_NAMES.get(sequence, sequence))
        text = text[len(sequence) :]
    return keys
