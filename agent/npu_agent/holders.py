"""Who really has each NPU: containers first, then leases and reservations, then npu-smi's processes. Reads /proc."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Optional, Protocol

from npu_agent import api
from npu_agent.engine import Container

_CONTAINER_ID = re.compile(r"\b[0-9a-f]{64}\b")


class Process(Protocol):
    """A line of npu-smi's process table."""

    @property
    def npu(self) -> Optional[int]: ...

    @property
    def pid(self) -> Optional[int]: ...

    @property
    def name(self) -> Optional[str]: ...


@dataclass(frozen=True)
class _Root:
    """The process at the root of a mount namespace that has an NPU open."""

    npu: Optional[int]
    pid: Optional[int]
    name: Optional[str]


@dataclass(frozen=True)
class Conflict:
    """An NPU that a container uses although another workload has its lease, or nobody has."""

    npu: int
    holder: api.Holder
    lease: Optional[str]


def of_container(container: Container) -> api.Holder:
    workload = container.workload
    return api.Holder(
        kind="workload" if workload else "container",
        name=workload or container.name,
        container_id=container.id,
        since=container.started_at,
    )


def claimed(container: Container, npus: Iterable[int]) -> set[int]:
    return set(npus) if container.all_npus else set(container.npus)


def container_of_pid(pid: int, proc: Path = Path("/proc")) -> Optional[str]:
    """The container's full id from the process's cgroup, whichever driver named it."""
    try:
        match = _CONTAINER_ID.search((proc / str(pid) / "cgroup").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return match[0] if match else None


def name_of_pid(pid: int, proc: Path = Path("/proc")) -> Optional[str]:
    try:
        return (proc / str(pid) / "comm").read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def place_of_pid(pid: int, proc: Path = Path("/proc")) -> Optional[str]:
    """As above, but "" for a process of the host, and None for one that has ended."""
    if not (proc / str(pid) / "cgroup").exists():
        return None
    return container_of_pid(pid, proc) or ""


def find(
    npus: Sequence[int],
    containers: Iterable[Container],
    leases: Iterable[api.Lease],
    processes: Iterable[Process] = (),
    reservations: Iterable[api.Reservation] = (),
    container_id: Callable[[int], Optional[str]] = container_of_pid,
    roots: Mapping[int, Sequence[int]] = MappingProxyType({}),
) -> dict[int, api.Holder]:
    """Holder by NPU. A running container of the leaseholder is named before anybody else on the same NPU.

    `roots` names the processes for whose mount namespaces the driver keeps an NPU: also one that npu-smi's process
    table does not show, such as a container of another engine that has opened the NPU and computes nothing yet.
    """
    active = [container for container in containers if container.active]
    by_id = {container.id: container for container in active}
    owner = {lease.npu: lease for lease in leases}
    found: dict[int, api.Holder] = {}
    for container in active:
        holder = of_container(container)
        for npu in claimed(container, npus):
            lease = owner.get(npu)
            if npu not in found or (lease is not None and holder.kind == "workload" and holder.name == lease.workload):
                found[npu] = holder
    for npu, lease in owner.items():
        found.setdefault(npu, api.Holder(kind="workload", name=lease.workload, since=lease.since))
    for kept in reservations:
        for npu in kept.npus:
            found.setdefault(npu, api.Holder(kind="reservation", name=kept.reservation, since=kept.since))
    for process in (*processes, *_alive(roots)):
        if process.npu is not None and process.npu not in found:
            found[process.npu] = _of_process(process, by_id, container_id)
    return found


def _alive(roots: Mapping[int, Sequence[int]]) -> Iterator[_Root]:
    for npu, pids in roots.items():
        for pid in pids:
            name = name_of_pid(pid)
            if name:
                yield _Root(npu, pid, name)


def _of_process(
    process: Process, by_id: Mapping[str, Container], container_id: Callable[[int], Optional[str]]
) -> api.Holder:
    container = by_id.get(container_id(process.pid) or "") if process.pid is not None else None
    if container is not None:
        return of_container(container)
    return api.Holder(kind="process", name=process.name or "without a name", pid=process.pid)


def conflicts(npus: Sequence[int], containers: Iterable[Container], leases: Iterable[api.Lease]) -> list[Conflict]:
    """Where reality and the leases disagree: every NPU that an active container may open without having its lease."""
    owner = {lease.npu: lease.workload for lease in leases}
    found = []
    for container in containers:
        holder = of_container(container)
        for npu in sorted(claimed(container, npus)) if container.active else ():
            lease = owner.get(npu)
            if holder.kind == "workload" and holder.name == lease:
                continue
            if lease is not None or holder.kind == "workload":
                found.append(Conflict(npu, holder, lease))
    return found


def intruders(
    processes: Iterable[Process],
    containers: Iterable[Container],
    leases: Iterable[api.Lease],
    place: Callable[[int], Optional[str]] = place_of_pid,
) -> list[Conflict]:
    """Processes on a leased NPU that are not the leaseholder's: of the host, or of a container without devices."""
    owner = {lease.npu: lease.workload for lease in leases}
    by_id = {container.id: container for container in containers}
    found = []
    for process in processes:
        lease = owner.get(process.npu) if process.npu is not None else None
        where = place(process.pid) if lease is not None and process.pid is not None else None
        if process.npu is None or lease is None or where is None:
            continue
        container = by_id.get(where)
        if where and (container is None or container.workload == lease):
            continue  # its own, or of a container that came after the list was made
        words = of_container(container) if container else api.Holder("process", process.name or "?", pid=process.pid)
        found.append(Conflict(process.npu, words, lease))
    return found
