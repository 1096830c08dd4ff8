"""Keeps containers away from the cloud's metadata service: standard library only, Python 3.8 and newer."""

from __future__ import annotations
