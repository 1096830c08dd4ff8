"""A job over several nodes: one workload a node, started on all of them or on none."""

from __future__ import annotations
