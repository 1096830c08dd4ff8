"""What happens to a text on its way: harmless wrapping, one hit that changes widths, and several hits of any kind."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

JUNK = "0123456789|+-=/ .:#\tNAOKx\n"
PROMPT = "[root@node ~]# npu-smi info\n"
LOG_LINE = "DrvMngGetConsoleLogLevel failed. (g_conLogLevel=3)\n"
WARNING = "[WARNING]The driver package may not be completely installed, please reinstall it.\n"

Hit = Callable[[Random, str], str]


def _at(random: Random, text: str) -> int:
    return random.randrange(max(1, len(text)))


def _line(random: Random, text: str) -> tuple[list[str], int]:
    lines = text.splitlines(keepends=True) or [""]
    return lines, random.randrange(len(lines))


def delete(random: Random, text: str) -> str:
    at = _at(random, text)
    return text[:at] + text[at + 1 :]


def insert(random: Random, text: str) -> str:
    at = _at(random, text)
    return text[:at] + random.choice(JUNK) + text[at:]


def cut(random: Random, text: str) -> str:
    return text[: _at(random, text)]


def behead(random: Random, text: str) -> str:
    return text[_at(random, text) :]


def drop_line(random: Random, text: str) -> str:
    lines, at = _line(random, text)
    return "".join(lines[:at] + lines[at + 1 :])


def double_line(random: Random, text: str) -> str:
    lines, at = _line(random, text)
    return "".join(lines[: at + 1] + lines[at:])


def swap_lines(random: Random, text: str) -> str:
    lines, at = _line(random, text)
    lines[at : at + 2] = reversed(lines[at : at + 2])
    return "".join(lines)


def stray_line(random: Random, text: str) -> str:
    lines, at = _line(random, text)
    return "".join([*lines[:at], random.choice((LOG_LINE, "...\n", "^C\n", "No such device\n")), *lines[at:]])


def chop_line(random: Random, text: str) -> str:
    """Cut one line off, as a narrow window does."""
    lines, at = _line(random, text)
    lines[at] = lines[at][: random.randint(0, len(lines[at]))].rstrip("\n") + "\n"
    return "".join(lines)


def replace(random: Random, text: str) -> str:
    at = _at(random, text)
    return text[:at] + random.choice(JUNK) + text[at + 1 :]


def move_line(random: Random, text: str) -> str:
    lines, at = _line(random, text)
    line = lines.pop(at)
    lines.insert(random.randrange(len(lines) + 1), line)
    return "".join(lines)


def swap_words(random: Random, text: str) -> str:
    words = text.split(" ")
    one, other = random.randrange(len(words)), random.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return " ".join(words)


def coloured(random: Random, text: str) -> str:
    sign = random.choice(("\x1b[31m", "\x1b[0m", "\x1b[1;32m", "\x1b[K", "\x1b[H\x1b[2J"))
    return text.replace("| OK", f"| {sign}OK\x1b[m").replace("\n", f"{sign}\n")


HARMLESS: tuple[Hit, ...] = (
    lambda _, text: text,
    lambda _, text: text.replace("\n", "\r\n"),
    lambda _, text: PROMPT + text + "[root@node ~]# ",
    lambda _, text: LOG_LINE + text,
    lambda _, text: text + WARNING,
    lambda _, text: text.replace("\n", "  \n"),
    lambda random, text: "".join(random.choice(("\t", "  ", "")) + line for line in text.splitlines(keepends=True)),
    lambda _, text: "\ufeff" + text,
    lambda _, text: "Every 2.0s: npu-smi info        node: Mon Jan  1 00:00:00 2026\n\n" + text,
    coloured,
)
ONE: tuple[Hit, ...] = (
    delete, insert, cut, behead, drop_line, double_line, swap_lines, stray_line, chop_line,
)  # fmt: skip
ANY: tuple[Hit, ...] = (*ONE, replace, replace, replace, move_line, swap_words)
