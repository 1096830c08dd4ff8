"""The agent's HTTP API: endpoints read what the loop has published; they probe nothing themselves."""

from __future__ import annotations
