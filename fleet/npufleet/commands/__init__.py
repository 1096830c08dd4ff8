"""One verb, one module: parse, do, return an outcome. Nothing here prints."""

from __future__ import annotations
