"""The parts of the node's health that the agent judges itself: Docker, and every workload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional

from npu_agent import api, units
from npu_agent.holders import Conflict
from npu_agent.watch import DockerState


def docker(state: DockerState) -> api.Component:
    if state.error is None and state.stale:
        reason = "Docker has not been heard of for long: a call to it hangs"
        return api.Component("docker", api.UNKNOWN, reason, "fix-configuration")
    if state.error is None:
        return api.Component("docker", api.HEALTHY, f"Docker {state.version} answers")
    if not state.asked:
        return api.Component("docker", api.UNKNOWN, state.error)
    reason = f"Docker does not answer: {state.error}"
    return api.Component("docker", api.UNHEALTHY, reason, "fix-configuration")


def workloads(
    found: Iterable[api.Workload], conflicts: Sequence[Conflict], docker_state: DockerState
) -> list[api.Component]:
    """One a workload. A foreign container that shares a workload's NPU is told at the workload that suffers."""
    return [_workload(workload, conflicts, seen=docker_state.answers) for workload in found]


def _workload(workload: api.Workload, conflicts: Sequence[Conflict], *, seen: bool) -> api.Component:
    name = f"workload/{workload.name}"
    for conflict in conflicts:
        if conflict.lease == workload.name:
            reason = f"NPU {conflict.npu} is also used by {conflict.holder.sentence()}, which has no lease"
            return api.Component(name, api.UNHEALTHY, reason, "fix-configuration")
        if conflict.holder.kind == "workload" and conflict.holder.name == workload.name:
            reason = f"it uses NPU {conflict.npu}, which is leased to {conflict.lease or 'nobody'}"
            return api.Component(name, api.UNHEALTHY, reason, "fix-configuration")
    if workload.state == api.FAILED or (workload.state == api.EXITED and workload.exit_code not in {0, None}):
        return api.Component(name, api.UNHEALTHY, workload.reason, "restart-workload")
    if workload.probe is not None and workload.state == api.RUNNING and workload.probe.state == api.UNHEALTHY:
        return api.Component(name, api.UNHEALTHY, f"its probe fails: {workload.probe.reason}", "restart-workload")
    if workload.progress is not None and workload.progress.findings and workload.state == api.RUNNING:
        return api.Component(name, api.DEGRADED, "; ".join(workload.progress.findings), "none")
    if workload.state == api.PENDING or (workload.state == api.RUNNING and not seen):
        return api.Component(name, api.UNKNOWN, workload.reason or "Docker does not tell whether it runs")
    return api.Component(name, api.HEALTHY, workload.reason or "it runs")


class Since:
    """Remembers since when each component is in its state."""

    def __init__(
        self, now: Callable[[], str] = units.utc_now, remembered: Optional[Mapping[str, api.Component]] = None
    ) -> None:
        self._now = now
        kept = (remembered or {}).values()
        self._remembered = {component.name: (component.state, component.since) for component in kept}
        self._known: dict[str, tuple[str, str]] = {}

    def stamp(self, components: Iterable[api.Component]) -> list[api.Component]:
        now = self._now()
        stamped = []
        known: dict[str, tuple[str, str]] = {}
        for component in components:
            before = self._known.get(component.name)
            kept = self._remembered.get(component.name)
            since = before[1] if before is not None and before[0] == component.state else now
            if kept is not None and kept[0] == component.state and component.state != api.UNKNOWN:
                since = kept[1] or now
            if component.state != api.UNKNOWN:  # only what was seen says that the time before the start is over
                self._remembered.pop(component.name, None)
            known[component.name] = (component.state, since)
            stamped.append(
                api.Component(component.name, component.state, component.reason, component.action, since, now)
            )
        self._known = known
        return stamped
