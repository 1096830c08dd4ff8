"""What an agent does not know of its node, and whether that keeps work away: the agent's own rule, not ours."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent import api


def not_known(parts: Iterable[api.Component]) -> list[api.Component]:
    """Give the unknown parts of the node itself."""
    return [part for part in parts if part.state == api.UNKNOWN and not part.name.startswith(api.NOT_THE_NODES)]


def must_be_known(part: api.Component) -> bool:
    return not part.name.startswith(api.MAY_BE_UNKNOWN)


def knows_itself(health: api.HealthReport) -> bool:
    """Whether the agent knows all that it must: an unknown state needs parts that explain it, and may be unknown."""
    if health.state not in api.HEALTH_STATES:
        return False
    unknown = not_known(health.components)
    return not any(map(must_be_known, unknown)) and (health.state != api.UNKNOWN or bool(unknown))
