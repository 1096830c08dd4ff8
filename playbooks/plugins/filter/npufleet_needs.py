"""Which steps of which roles are to be done on a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def npufleet_needs(roles: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """From each role's steps with whether they are needed to the needed ones; roles that need nothing are left out.

    A value that is neither true nor false is a mistake in a role, and no reason to leave a step out.
    """
    needed = {role: [step for step, wanted in steps.items() if wanted is not False] for role, steps in roles.items()}
    return {role: steps for role, steps in needed.items() if steps}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"npufleet_needs": npufleet_needs}
