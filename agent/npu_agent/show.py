"""A workload as people see it: the record, and what Docker says of its container now."""

from __future__ import annotations

from typing import Optional

from npu_agent import api, restarts, store
from npu_agent.engine import Container
from npu_agent.store import Record

_SIGNALS = {
    134: "it aborted (signal 6)",
    137: "it was killed (signal 9)",
    139: "it crashed (signal 11)",
    143: "it was terminated (signal 15)",
}
_PENDING = {
    store.PULLING: "its image is being pulled",
    store.RESERVED: "its container is being created",
    store.CREATED: "its container is being started",
}


def show(record: Record, container: Optional[Container], *, known: bool = True) -> api.Workload:
    """`exited` says that the container ran and ended, whatever its code; `failed` that there is no container.

    With known=False Docker was not asked: the answer is what the record knows.
    """
    state, reason = _state(record, container, known=known)
    ended = container is not None and not container.active
    return api.Workload(
        name=record.name,
        spec=record.spec,
        resolved=api.Resolved.from_dict(record.resolved) if record.resolved else None,
        notes=list(record.notes),
        npus=list(record.npus),
        state=state,
        container_id=container.id if container else record.container_id,
        exit_code=container.exit_code if container else record.exit_code,
        started_at=container.started_at if container else record.started_at,
        finished_at=(container.finished_at if ended else None) if container else record.finished_at,
        reason=reason,
        restarts=record.restarts,
        generation=record.generation,
        spec_sha256=record.spec_sha256,
    )


def _state(record: Record, container: Optional[Container], *, known: bool) -> tuple[str, str]:
    if record.phase in _PENDING:
        return api.PENDING, record.reason or _PENDING[record.phase]
    if record.phase == store.FAILED:
        return api.FAILED, record.reason
    if container is None:
        return _without_container(record, known=known)
    if record.phase == store.REMOVING:
        return (api.RUNNING if container.active else api.EXITED), record.reason
    if record.phase == store.STARTED and container.ended_for_good and restarts.wanted(record, container.exit_code):
        soon = f"{exit_reason(container)}; the next cycle decides whether it is restarted"
        return api.PENDING, record.reason if record.restart_due is not None else soon
    if container.state == "restarting":
        return api.RUNNING, f"it ended and Docker restarts it ({container.restart_count} times so far)"
    if container.active:
        return api.RUNNING, "paused" if container.state == "paused" else ""
    return api.EXITED, (record.reason if record.phase == store.FINISHED else "") or exit_reason(container)


def _without_container(record: Record, *, known: bool) -> tuple[str, str]:
    if record.phase == store.FINISHED:
        return api.EXITED, record.reason
    if record.phase == store.REMOVING:
        return api.PENDING, record.reason
    if known:
        return api.FAILED, "its container is gone: it was removed without the agent"
    return api.PENDING, "Docker has not been asked yet"


def exit_reason(container: Container) -> str:
    if container.error:
        return f"Docker could not run it: {container.error}"
    if container.oom_killed:
        return "it was killed for using more memory than its limit; give it more memory"
    if container.exit_code in {None, 0}:
        return "it ended"
    extra = _SIGNALS.get(container.exit_code or 0)
    return f"it ended with exit code {container.exit_code}" + (f": {extra}" if extra else "")
