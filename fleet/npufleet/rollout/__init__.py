"""Rollouts: a revision goes through the fleet in batches, only as fast as the nodes' health allows."""

from __future__ import annotations
