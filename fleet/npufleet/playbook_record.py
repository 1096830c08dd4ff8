"""The record of a run in words that need no tool: run.json beside Ansible's own output, written while it goes on."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from npufleet.playbook_events import Tracker
from npufleet.playbook_story import CANCELED, Order, Story
from npufleet.result import Result

# A run that is killed leaves a record that is at most this old.
NOTE_EVERY_S = 2.0


class Record:
    """`state` is running until the run has ended: a record that stays so is of a run that was killed."""

    def __init__(self, folder: Path, order: Order) -> None:
        self._path = folder / "run.json"
        self._noted_s = -NOTE_EVERY_S
        self._document: dict[str, Any] = {
            "verb": order.verb,
            "playbook": order.playbook,
            "inventory": str(order.inventory),
            "limit": order.limit,
            "tags": order.tags,
            "check": order.check,
            "started": _now(),
            "pid": os.getpid(),
            "state": "running",
        }

    def note(self, tracker: Tracker, elapsed_s: float) -> None:
        """Write down where every node is, unless that was done a moment ago."""
        if elapsed_s - self._noted_s >= NOTE_EVERY_S:
            self._noted_s = elapsed_s
            self._write(self._document | {"at": _now(), "nodes": _nodes(tracker)})

    def close(self, story: Story, result: Result) -> None:
        over = {
            "state": "interrupted" if story.end.status == CANCELED else "ended",
            "at": _now(),
            "exit_code": int(result.exit_code),
            "errors": [failure.message for failure in result.errors],
            "nodes": _nodes(story.tracker),
        }
        self._write(self._document | over)

    def _write(self, document: dict[str, Any]) -> None:
        """Whole or not at all: whoever reads while a run goes on gets no half of it.

        A full disk must not stop what is being done to the nodes.
        """
        new = self._path.with_suffix(".new")
        with suppress(OSError):
            new.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            new.replace(self._path)


def _nodes(tracker: Tracker) -> dict[str, Any]:
    return {
        node.name: {
            "state": node.state,
            "stage": node.stage,
            "task": node.task,
            "done": node.done,
            "changed": node.changed,
            "message": node.message,
        }
        for node in tracker.nodes.values()
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
