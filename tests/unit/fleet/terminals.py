"""Terminals and pipes made of memory, and snapshots of what was drawn on them."""

from __future__ import annotations

import io
import os
from pathlib import Path

from rich.console import Console, RenderableType

SNAPSHOTS = Path(__file__).parent / "views" / "snapshots"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def draw(view: RenderableType, width: int) -> str:
    """What a terminal of this width shows, without its colours."""
    drawn = io.StringIO()
    Console(file=drawn, width=width, highlight=False, _environ={}).print(view)
    return drawn.getvalue()


class AsciiOnly(io.TextIOWrapper):
    """A terminal that refuses every other character, as LANG=C does."""

    def __init__(self) -> None:
        self.drawn = io.BytesIO()
        super().__init__(self.drawn, encoding="ascii", write_through=True)


def draw_ascii(view: RenderableType, width: int = 80) -> str:
    terminal = AsciiOnly()
    Console(file=terminal, width=width, highlight=False, _environ={}).print(view)
    return terminal.drawn.getvalue().decode("ascii")


def expect_snapshot(name: str, drawn: str) -> None:
    """Compare with the page that a person has looked at; UPDATE_SNAPSHOTS=1 writes it anew, to be looked at again."""
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")
