"""The operator's own commands at the joints of a rollout; their exit code is their answer."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from npufleet import run
from npufleet.errors import ProjectError
from npufleet.rollout.settings import Settings

CONFIRM_ROLLOUT, PRE, BATCH, CONFIRM_PROMOTION, POST, ROLLBACK = (
    "confirm-rollout", "pre-rollout", "rollout", "confirm-promotion", "post-rollout", "rollback",
)  # fmt: skip
Hook = Callable[[str, Settings, Mapping[str, str]], str]


def call(name: str, settings: Settings, environment: Mapping[str, str]) -> str:
    """Run the hook of a name where there is one; give why it said no, or nothing."""
    command = settings.hooks.get(name)
    if not command:
        return ""
    try:
        done = run.capture(shlex.split(command), environment=environment, timeout_s=settings.hook_timeout_s)
    except (ProjectError, OSError, ValueError) as error:
        return f"the hook {name} could not be run: {error}"
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
    told = f": {said[0]}" if said else ""
    return "" if done.code == 0 else f"the hook {name} ended with {done.code}{told}"
