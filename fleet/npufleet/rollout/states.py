"""The states of a rollout and of its nodes, and which may follow which."""

from __future__ import annotations

PENDING = "pending"
RUNNING = "running"
PAUSED = "paused"
BLOCKED = "blocked"
SUCCESSFUL = "successful"
FAILED = "failed"
CANCELLED = "cancelled"

DRAINING = "draining"
UPDATING = "updating"
VERIFYING = "verifying"
HEALTHY = "healthy"
UNREACHABLE = "unreachable"
SKIPPED = "skipped"
REVERTED = "reverted"

# A rollout that is over can run once more: to go back, or with those nodes again that failed.
ROLLOUT: dict[str, frozenset[str]] = {
    PENDING: frozenset({RUNNING, PAUSED, CANCELLED}),
    RUNNING: frozenset({PAUSED, BLOCKED, SUCCESSFUL, FAILED, CANCELLED}),
    PAUSED: frozenset({RUNNING, CANCELLED}),
    BLOCKED: frozenset({RUNNING, CANCELLED}),
    SUCCESSFUL: frozenset({RUNNING}),
    FAILED: frozenset({RUNNING, CANCELLED}),
    CANCELLED: frozenset({RUNNING}),
}
# The way there and the way back; a retry goes back to pending.
NODE: dict[str, frozenset[str]] = {
    PENDING: frozenset({DRAINING, UNREACHABLE, SKIPPED, FAILED}),
    DRAINING: frozenset({UPDATING, FAILED, UNREACHABLE, SKIPPED, PENDING}),
    UPDATING: frozenset({VERIFYING, FAILED, UNREACHABLE, PENDING}),
    VERIFYING: frozenset({HEALTHY, REVERTED, FAILED, UNREACHABLE, PENDING}),
    HEALTHY: frozenset({PENDING, FAILED, UNREACHABLE}),
    FAILED: frozenset({PENDING}),
    UNREACHABLE: frozenset({PENDING}),
    SKIPPED: frozenset({PENDING}),
    REVERTED: frozenset({PENDING}),
}
OVER = frozenset({SUCCESSFUL, FAILED, CANCELLED})
ACTIVE = (DRAINING, UPDATING, VERIFYING)
BAD = frozenset({FAILED, UNREACHABLE})
DONE = frozenset({HEALTHY, FAILED, UNREACHABLE, SKIPPED, REVERTED})


class TransitionError(Exception):
    """A step that cannot be: a mistake of this program, or a record that was changed by hand."""


def check(table: dict[str, frozenset[str]], before: str, after: str) -> None:
    if after not in table[before]:
        raise TransitionError(f"{before} cannot become {after}")
