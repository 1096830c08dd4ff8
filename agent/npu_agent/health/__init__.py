"""Health: pure functions from what the agent knows to states, reasons and actions."""

from __future__ import annotations

from npu_agent.health.check import Check, Context, ageing, built_in, is_ageing, register
from npu_agent.health.tracker import Tracker
from npu_agent.health.verdict import Overall, Verdict, gravest, overall

# Importing them registers them; they import what stands above.
from npu_agent.health import checks  # isort: skip

__all__ = [
    "Check",
    "Context",
    "Overall",
    "Tracker",
    "Verdict",
    "ageing",
    "built_in",
    "checks",
    "gravest",
    "is_ageing",
    "overall",
    "register",
]
