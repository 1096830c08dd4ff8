"""Makes `python -m npufleet` the same as the command npufleet."""

from __future__ import annotations

from npufleet.cli import main

main()
