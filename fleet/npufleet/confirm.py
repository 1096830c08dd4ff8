"""Asks before something is hurt; a script that nobody can ask must have said --yes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from npufleet.errors import UsageError


def confirm(what: str, hurts: Sequence[str], *, yes: bool) -> None:
    """Return when it may be done; `hurts` are sentences that say what it does to whom."""
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):
        raise UsageError(
            f"{what} was not done, because there is no terminal to ask. It would do this: {' '.join(hurts)}",
            code="not-confirmed",
            remedy="Say --yes if that is what you want.",
        )
    told = "\n".join(f"  {line}" for line in hurts)
    if not typer.confirm(f"{told}\n{what}?", err=True):
        raise UsageError(f"{what} was not done: you said no.", code="not-confirmed")
