"""Lets `python -m npufleet_lab` stand in for `npufleet lab`."""

from __future__ import annotations

from npufleet_lab.cli import main

if __name__ == "__main__":
    main()
