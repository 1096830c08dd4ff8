"""Puts the monitor's view, Docker and the leases together into the one picture that all endpoints read."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

from npu_agent import api, components, holders, memory, nodefacts
from npu_agent.changes import Picture, changes
from npu_agent.health import rings
from npu_agent.history import History
from npu_agent.http.service import Published
from npu_agent.monitor import Monitor, View
from npu_agent.watch import DockerState, DockerWatch
from npu_agent.workloads import Workloads

if TYPE_CHECKING:
    from npu_agent.metrics import Extra, Sample

_DOCKER_HELP = "1 when Docker answered the last time it was asked."
_WORKLOAD_HELP = "1 for the state that the workload is in, 0 for the others."
_LEASE_HELP = "1 for every NPU that is leased."
_TRIAL_HELP = "1 for every verdict of a rule that only reports."


@dataclass(frozen=True)
class Sources:
    monitor: Monitor
    watch: DockerWatch
    workloads: Workloads
    history: Optional[History] = None


class Publisher:
    """refresh() is cheap when nothing changed: the parts are compared before anything is rendered.

    `before` is the picture that was kept before the agent's start, and `remembered` what of it still holds: nothing
    after a boot of the node.
    """

    def __init__(
        self,
        sources: Sources,
        node: api.Node,
        before: Optional[Picture] = None,
        remembered: Optional[Mapping[str, api.Component]] = None,
    ) -> None:
        self._from = sources
        self._node = node
        self._lock = threading.Lock()
        self._before = before or Picture()
        self._since = components.Since(remembered=remembered)
        self._key: Any = None
        self.current = Published(node=node, health=api.HealthReport(node.node, ready=False, state=api.UNKNOWN))

    def refresh(self) -> None:
        with self._lock:
            view, docker = self._from.monitor.view(), self._from.watch.current()
            shown, leases = self._from.workloads.all(), self._from.workloads.store.leases()
            cordons, kept = self._from.workloads.cordons.told(), self._from.workloads.reservations.all()
            # When Docker was last heard of is no news: what would follow from its silence is in `stale`.
            heard = dataclasses.replace(docker, seen_at=None)
            key = (view.news, heard, shown, leases, cordons, [one.reservation for one in kept])
            if key != self._key:
                self.current = self._build(view, docker, shown, leases)
                self._key = key
                if view.looked and docker.asked:
                    self._tell(view, shown, leases)

    def _build(
        self, view: View, docker: DockerState, shown: Sequence[api.Workload], leases: Sequence[api.Lease]
    ) -> Published:
        from npu_agent import metrics  # noqa: PLC0415  # 50 ms that come after the first answer, not before it

        npus = [npu.npu for npu in view.npus]
        processes = self._from.workloads.current_processes(view)
        conflicts = holders.conflicts(npus, docker.containers, leases)
        conflicts += holders.intruders(processes, docker.containers, leases)
        own = [components.docker(docker), *components.workloads(shown, conflicts, docker)]
        cordons, kept = self._from.workloads.cordons.told(), self._from.workloads.reservations.all()
        found = holders.find(npus, docker.containers, leases, processes, kept, roots=view.roots)
        whole = view.with_holders(found).with_components(self._since.stamp(own))
        judged = rings.advise(whole.components, whole.npus, self._from.monitor.rules)
        return Published(
            node=self._describe(view, cordoned=cordons.cordoned),
            health=api.HealthReport(
                self._node.node,
                whole.ready and not cordons.cordoned,
                whole.state,
                [*whole.reasons, *_cordon_reasons(cordons)],
                sorted(judged, key=_by_name),
            ),
            npus=whole.npus,
            observed_at=view.observed_at,
            observed_monotonic=view.observed_monotonic,
            complete=view.complete,
            workloads=tuple(shown),
            metrics=metrics.render(whole, metrics_extra(npus, docker, shown, leases, view.trials)),
        )

    def _tell(self, view: View, shown: Sequence[api.Workload], leases: Sequence[api.Lease]) -> None:
        """Put what has changed since the last picture into the history, and keep the picture for the next start."""
        history, now = self._from.history, self.current
        if history is None:
            return
        picture = Picture(
            components={component.name: component for component in now.health.components},
            workloads={workload.name: workload.state for workload in shown},
            leases={lease.npu: lease.workload for lease in leases},
            trials=dict(view.trials),
            cordoned=now.node.cordoned,
            ready=now.health.ready,
        )
        keep: dict[str, Any] = {}
        faults = self._from.monitor.news_of_faults()
        if faults is not None:
            keep[memory.LEDGER] = faults
        if picture.key() != self._before.key():
            keep[memory.PICTURE] = memory.dated(picture, now.node.boot_id)
        history.record(changes(self._before, picture, now.health.reasons), keep)
        self._before = picture

    def _describe(self, view: View, *, cordoned: bool) -> api.Node:
        return api.Node(
            node=self._node.node,
            agent_version=self._node.agent_version,
            boot_id=nodefacts.boot_id(),
            started_at=self._node.started_at,
            cordoned=cordoned,
            driver_version=view.driver_version,
            chip=view.chip,
            npu_count=view.npu_count,
            facts=dict(view.facts),
        )


def _cordon_reasons(cordons: api.Cordons) -> list[str]:
    return [
        f"cordoned by {cordon.owner}" + (f": {cordon.reason}" if cordon.reason else "")
        for cordon in cordons.cordons
        if cordon.npu is None
    ]


def _by_name(component: api.Component) -> tuple[str, int, str]:
    """npu/2 before npu/10."""
    kind, _, rest = component.name.partition("/")
    return (kind, int(rest) if rest.isdecimal() else -1, rest)


# Name, help and reading of what a workload prints about itself; a number that is not known gives no sample.
_PROGRESS: tuple[tuple[str, str, Callable[[api.Progress], Optional[float]]], ...] = (
    ("npufleet_workload_iteration", "The training's last iteration.", lambda p: p.iteration),
    ("npufleet_workload_loss", "The training's last loss.", lambda p: p.loss),
    ("npufleet_workload_iteration_ms", "Milliseconds that an iteration takes.", lambda p: p.iteration_ms),
    (
        "npufleet_workload_tokens_per_second_per_npu",
        "Tokens per second and NPU, of all of the job's NPUs.",
        lambda p: p.tokens_per_second_per_npu,
    ),
)


def _progress_gauges(workload: api.Workload) -> Iterator[Sample]:
    from npu_agent.metrics import Sample  # noqa: PLC0415  # see Publisher

    labels = {"workload": workload.name}
    yield Sample("npufleet_workload_restarts", "Restarts in a row.", float(workload.restarts), labels)
    for name, words, read in _PROGRESS if workload.progress is not None and workload.state == api.RUNNING else ():
        value = read(workload.progress) if workload.progress is not None else None
        if value is not None:
            yield Sample(name, words, float(value), labels)


def metrics_extra(
    npus: Sequence[int],
    docker: DockerState,
    shown: Sequence[api.Workload],
    leases: Sequence[api.Lease],
    trials: Optional[Mapping[str, Sequence[str]]] = None,
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
    told = {(name, trial.partition(" ")[0]) for name, found in (trials or {}).items() for trial in found}
    samples += [
        Sample("npufleet_rule_dry_run", _TRIAL_HELP, 1.0, {"component": name, "rule": rule})
        for name, rule in sorted(told)
    ]
    samples += [sample for item in shown for sample in _progress_gauges(item)]
    return Extra(containers=labels, samples=samples)
