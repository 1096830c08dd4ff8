"""Events are the differences between two pictures of the node: what was published before, and what is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from npu_agent import api, api_events
from npu_agent.history import Draft

_WORKLOAD = "workload/"
_CAUSES = ("docker", "driver", "probe", "npu-count")
_REASONS_SHOWN = 5


@dataclass(frozen=True)
class Picture:
    """What of the node makes events. It outlives the agent, so that what changed meanwhile is told after a start."""

    components: Mapping[str, api.Component] = field(default_factory=dict)
    workloads: Mapping[str, str] = field(default_factory=dict)
    leases: Mapping[int, str] = field(default_factory=dict)
    trials: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cordoned: Optional[bool] = None
    ready: Optional[bool] = None

    def to_document(self) -> dict[str, Any]:
        return {
            "components": [component.to_dict() for component in self.components.values()],
            "workloads": dict(self.workloads),
            "leases": [[npu, workload] for npu, workload in self.leases.items()],
            "trials": {name: list(trials) for name, trials in self.trials.items()},
            "cordoned": self.cordoned,
            "ready": self.ready,
        }

    @classmethod
    def from_document(cls, document: Any) -> Picture:
        """Read back what was kept; of what cannot be read, nothing is known."""
        try:
            found = [api.Component.from_dict(item) for item in document["components"]]
            return cls(
                components={component.name: component for component in found},
                workloads={str(name): str(state) for name, state in document["workloads"].items()},
                leases={int(npu): str(workload) for npu, workload in document["leases"]},
                trials={str(name): tuple(trials) for name, trials in document["trials"].items()},
                cordoned=document["cordoned"],
                ready=document["ready"],
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return cls()

    def key(self) -> tuple[Any, ...]:
        """What has to change before the picture is kept anew: not that it was looked at again."""
        told = tuple((c.name, c.state, c.action, tuple(c.marks), c.since) for c in self.components.values())
        return told, self.workloads, self.leases, self.trials, self.cordoned, self.ready


def changes(before: Picture, now: Picture, reasons: Iterable[str] = ()) -> list[Draft]:
    """List what happened between two pictures, causes before their effects."""
    return [
        *_components(before, now),
        *_leases(before.leases, now.leases),
        *_workloads(before, now),
        *_cordon(before, now),
        *_trials(before, now),
        *_ready(before, now, reasons),
    ]


def _components(before: Picture, now: Picture) -> Iterator[Draft]:
    for name, component in sorted(now.components.items(), key=lambda item: _rank(item[0])):
        old = before.components.get(name)
        if name.startswith(_WORKLOAD) or (old is None and component.state == api.HEALTHY):
            continue
        if old is None or (old.state, old.action, old.marks) != (component.state, component.action, component.marks):
            yield _component(component, old)
    for name in sorted(before.components.keys() - now.components.keys()):
        if not name.startswith(_WORKLOAD) and before.components[name].state != api.UNKNOWN:
            yield Draft(api_events.HEALTH, name, f"{name} is no longer judged", {"from": before.components[name].state})


def _rank(name: str) -> int:
    """Sort what others follow from to the front; the rest stays in its order."""
    return _CAUSES.index(name) if name in _CAUSES else len(_CAUSES)


def _component(component: api.Component, old: Optional[api.Component]) -> Draft:
    kind = api_events.PROBE if component.name == "probe" else api_events.HEALTH
    because = f": {component.reason}" if component.reason else ""
    data = {
        "from": old.state if old else None,
        "to": component.state,
        "action": component.action,
        "marks": list(component.marks),
    }
    return Draft(kind, component.name, f"{component.name} is {component.state}{because}", data)


def _leases(before: Mapping[int, str], now: Mapping[int, str]) -> Iterator[Draft]:
    for npu in sorted({*before, *now}):
        old, new = before.get(npu), now.get(npu)
        data = {"npu": npu, "from": old, "to": new}
        if old is not None and old != new:
            yield Draft(api_events.LEASE, f"npu/{npu}", f"NPU {npu} is given back by {old}", data)
        if new is not None and old != new:
            yield Draft(api_events.LEASE, f"npu/{npu}", f"NPU {npu} is leased to {new}", data)


def _workloads(before: Picture, now: Picture) -> Iterator[Draft]:
    for name in sorted({*before.workloads, *now.workloads}):
        old, new = before.workloads.get(name), now.workloads.get(name, api.REMOVED)
        if old != new:
            component = now.components.get(_WORKLOAD + name)
            because = f": {component.reason}" if component and component.reason else ""
            yield Draft(api_events.WORKLOAD, name, f"workload {name} is {new}{because}", {"from": old, "to": new})


def _cordon(before: Picture, now: Picture) -> Iterator[Draft]:
    if before.cordoned is not None and before.cordoned != now.cordoned:
        words = "the node is cordoned" if now.cordoned else "the node is no longer cordoned"
        yield Draft(api_events.CORDON, "node", words, {"cordoned": now.cordoned})


def _trials(before: Picture, now: Picture) -> Iterator[Draft]:
    for name, trials in now.trials.items():
        for trial in trials:
            if trial not in before.trials.get(name, ()):
                yield Draft(api_events.RULE, name, f"dry run, no effect on {name}: {trial}", {"dry_run": True})


def _ready(before: Picture, now: Picture, reasons: Iterable[str]) -> Iterator[Draft]:
    if before.ready != now.ready:
        listed = list(reasons)
        shown = [
            *listed[:_REASONS_SHOWN],
            *([f"{len(listed) - _REASONS_SHOWN} more"] if listed[_REASONS_SHOWN:] else []),
        ]
        words = "the node is ready" if now.ready else f"the node is not ready: {'; '.join(shown)}"
        yield Draft(api_events.READY, "node", words, {"ready": now.ready, "reasons": listed[:20]})
