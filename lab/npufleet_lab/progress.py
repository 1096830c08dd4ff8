"""Tells a person what is being done and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """One line when a step starts, one when it ends; steps of several threads may interleave."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    def note(self, text: str) -> None:
        self.console.print(f"  {text}")

    @contextmanager
    def step(self, text: str, expect: str = "") -> Iterator[None]:
        """`expect` says how long it usually takes, for steps that let a person wait."""
        hint = f" [dim](usually {expect})[/dim]" if expect else ""
        self.console.print(f"[cyan]→[/cyan] {text}{hint}")
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self.console.print(f"[red]✗[/red] {text}: failed after {time.monotonic() - started:.0f} s")
            raise
        self.console.print(f"[green]✓[/green] {text} [dim]{time.monotonic() - started:.1f} s[/dim]")
