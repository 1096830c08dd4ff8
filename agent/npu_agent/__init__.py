"""The node agent: runs NPU containers and tells the truth about NPU health."""

from __future__ import annotations

__version__ = "0.1.0"
