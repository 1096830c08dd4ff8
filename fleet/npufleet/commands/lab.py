"""npufleet lab: the lab's own commands; the only door from here to there, opened when it is asked for."""

from __future__ import annotations

from npufleet_lab.cli import app

__all__ = ["app"]
