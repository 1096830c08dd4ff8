from __future__ import annotations

import os
import pty
import termios

from npufleet import keys


def test_sequences_are_told_from_single_keys() -> None:
    assert keys.split("q\x1b[A\x1b[6~\x1bx\r\x7f/") == ["q", "up", "pagedown", "escape", "x", "enter", "backspace", "/"]


def test_keys_come_at_once_and_the_terminal_is_as_before() -> None:
    master, slave = pty.openpty()
    try:
        before = termios.tcgetattr(slave)
        with keys.unbuffered(slave) as terminal:
            assert termios.tcgetattr(slave) != before
            assert keys.read(terminal, 0.0) == []
            os.write(master, b"s")
            assert keys.read(terminal, 5.0) == ["s"]
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


def test_a_terminal_that_is_gone_quits() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    try:
        assert keys.read(reading, 5.0) == ["q"]
    finally:
        os.close(reading)
