"""What npufleet's modules share on the node: standard library only, Python 3.8 and newer."""

from __future__ import annotations
