"""Cpus, memory and shared memory: a profile's numbers are ceilings on a smaller node, explicit ones must fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from npu_agent import api, guards, units
from npu_agent.config import Policy
from npu_agent.nodefacts import NodeFacts
from npu_agent.problem import ProblemError, guard

# A node that is smaller than the profile: a container's part of its memory, and shared memory's part of that.
MEMORY_SHARE = 0.9
SHM_SHARE = 0.5


@dataclass(frozen=True)
class Sizes:
    cpus: Optional[float]
    memory_bytes: Optional[int]
    shm_bytes: int
    notes: list[str] = field(default_factory=list)


def resolve(asked: api.Resources, profile: dict[str, Any], name: str, facts: NodeFacts, policy: Policy) -> Sizes:
    notes: list[str] = []
    cpus = _cpus(asked, profile, name, facts, notes)
    memory = _memory(asked, profile, name, facts, notes)
    shm = _shm(asked, profile, name, memory or int(facts.memory_bytes * MEMORY_SHARE), policy, notes)
    return Sizes(cpus, memory, shm, notes)


def _too_big(field_name: str, asked: str, has: str) -> ProblemError:
    return guard(
        api.GUARD_RESOURCES,
        f"The spec asks {asked}; this node has {has}.",
        "Ask for less, leave it to the profile, or use a larger node.",
        field=f"resources.{field_name}",
    )


def _cpus(
    asked: api.Resources, profile: dict[str, Any], name: str, facts: NodeFacts, notes: list[str]
) -> Optional[float]:
    if asked.cpus is not None:
        if asked.cpus > facts.cpus:
            raise _too_big("cpus", f"{asked.cpus:g} cpus", f"{facts.cpus}")
        return asked.cpus
    wanted = profile.get("cpus")
    if wanted is None or wanted <= facts.cpus:
        return wanted
    notes.append(f"profile {name} asks {wanted} cpus; this node gives all its {facts.cpus}")
    return float(facts.cpus)


def _memory(
    asked: api.Resources, profile: dict[str, Any], name: str, facts: NodeFacts, notes: list[str]
) -> Optional[int]:
    if asked.memory is not None:
        size = units.parse_size(asked.memory)
        if size > facts.memory_bytes:
            raise _too_big("memory", f"{asked.memory} of memory", units.show_size(facts.memory_bytes))
        return size
    wanted = profile.get("memory")
    if wanted is None:
        return None
    limit = int(facts.memory_bytes * MEMORY_SHARE)
    if units.parse_size(wanted) <= limit:
        return units.parse_size(wanted)
    notes.append(f"profile {name} asks {wanted} of memory; this node gives {units.show_size(limit)}")
    return limit


def _shm(
    asked: api.Resources, profile: dict[str, Any], name: str, memory: int, policy: Policy, notes: list[str]
) -> int:
    """`memory` is what the container may use in all: its shared memory is part of that."""
    if asked.shm is not None:
        size = units.parse_size(asked.shm)
        guards.check_shm_floor(size, policy)
        if size > memory:
            raise _too_big(
                "shm", f"{asked.shm} of shared memory", f"{units.show_size(memory)} for the container in all"
            )
        return size
    wanted = units.parse_size(profile.get("shm", policy.shm_floor))
    limit = max(int(memory * SHM_SHARE), min(policy.shm_floor_bytes, memory))
    if wanted <= limit:
        return wanted
    guards.check_shm_floor(limit, policy)
    notes.append(
        f"profile {name} asks {profile.get('shm', policy.shm_floor)} shm; this node gives {units.show_size(limit)}"
    )
    return limit
