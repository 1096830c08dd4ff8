"""The only door of a node's own code to other programs on that node."""

from __future__ import annotations

import subprocess


class CommandError(Exception):
    """A program failed; the message is the command and what it said."""


def run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout
