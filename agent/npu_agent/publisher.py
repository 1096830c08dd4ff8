"""Puts the monitor's view, Docker and the leases together into the one picture that all endpoints read."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from npu_agent import api, components, holders, nodefacts
from npu_agent.http.service import Published
from npu_agent.monitor import Monitor, View
from npu_agent.watch import DockerState, DockerWatch
from npu_agent.workloads import Workloads

if TYPE_CHECKING:
    from npu_agent.metrics import Extra

_DOCKER_HELP = "1 when Docker answered the last time it was asked."
_WORKLOAD_HELP = "1 for the state that the workload is in, 0 for the others."
_LEASE_HELP = "1 for every NPU that is leased."


@dataclass(frozen=True)
class Sources:
    monitor: Monitor
    watch: DockerWatch
    workloads: Workloads


class Publisher:
    """refresh() is cheap when nothing changed: the parts are compared before anything is rendered."""

    def __init__(self, sources: Sources, node: api.Node) -> None:
        self._from = sources
        self._node = node
        self._lock = threading.Lock()
        self._since = components.Since()
        self._key: Any = None
        self.current = Published(node=node, health=api.HealthReport(node.node, ready=False, state=api.UNKNOWN))

    def refresh(self) -> None:
        with self._lock:
            view, docker = self._from.monitor.view(), self._from.watch.current()
            shown, leases = self._from.workloads.all(), self._from.workloads.store.leases()
            # When Docker was last heard of is no news: what would follow from its silence is in `stale`.
            key = (view.sequence, dataclasses.replace(docker, seen_at=None), shown, leases)
            if key != self._key:
                self.current = self._build(view, docker, shown, leases)
                self._key = key

    def _build(
        self, view: View, docker: DockerState, shown: Sequence[api.Workload], leases: Sequence[api.Lease]
    ) -> Published:
        from npu_agent import metrics  # noqa: PLC0415  # 50 ms that come after the first answer, not before it

        npus = [npu.npu for npu in view.npus]
        processes = self._from.workloads.current_processes(view)
        conflicts = holders.conflicts(npus, docker.containers, leases)
        own = [components.docker(docker), *components.workloads(shown, conflicts, docker)]
        whole = view.with_holders(holders.find(npus, docker.containers, leases, processes)).with_components(
            self._since.stamp(own)
        )
        return Published(
            node=self._describe(view),
            health=api.HealthReport(
                self._node.node,
                whole.ready,
                whole.state,
                list(whole.reasons),
                sorted(whole.components, key=_by_name),
            ),
            npus=whole.npus,
            observed_at=view.observed_at,
            observed_monotonic=view.observed_monotonic,
            complete=view.complete,
            metrics=metrics.render(whole, metrics_extra(npus, docker, shown, leases)),
        )

    def _describe(self, view: View) -> api.Node:
        return api.Node(
            node=self._node.node,
            agent_version=self._node.agent_version,
            boot_id=nodefacts.boot_id(),
            started_at=self._node.started_at,
            driver_version=view.driver_version,
            chip=view.chip,
            npu_count=view.npu_count,
            facts=dict(view.facts),
        )


def _by_name(component: api.Component) -> tuple[str, int, str]:
    """npu/2 before npu/10."""
    kind, _, rest = component.name.partition("/")
    return (kind, int(rest) if rest.isdecimal() else -1, rest)


def metrics_extra(
    npus: Sequence[int], docker: DockerState, shown: Sequence[api.Workload], leases: Sequence[api.Lease]
) -> Extra:
    """What the metrics tell beside the monitor's view."""
    from npu_agent.metrics import ContainerLabel, Extra, Sample  # noqa: PLC0415  # see Publisher

    labels: dict[int, list[ContainerLabel]] = {}
    for container in docker.containers:
        for npu in holders.claimed(container, npus) if container.active else ():
            labels.setdefault(npu, []).append(ContainerLabel(container.id, container.name))
    samples = [Sample("npufleet_docker_up", _DOCKER_HELP, float(docker.answers))]
    samples += [
        Sample(
            "npufleet_workload_state",
            _WORKLOAD_HELP,
            float(state == item.state),
            {"workload": item.name, "state": state},
        )
        for item in shown
        for state in api.WORKLOAD_STATES
    ]
    samples += [
        Sample("npufleet_lease", _LEASE_HELP, 1.0, {"npu": str(item.npu), "workload": item.workload}) for item in leases
    ]
    return Extra(containers=labels, samples=samples)
