"""The steps of one workload's life, each written down before the next: the same for requests and for repairs."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from typing import Optional

from npu_agent import api, engine, mounts, store
from npu_agent.engine import Container, Engine
from npu_agent.files import Files, FilesError
from npu_agent.problem import ProblemError, docker_unreachable, guard
from npu_agent.reservations import Clock
from npu_agent.store import Record, Store

log = logging.getLogger(__name__)


class Lifecycle:
    """Callers hold the lock of the workload's name."""

    def __init__(self, containers: Engine, records: Store, clock: Clock, files: Files) -> None:
        self._engine = containers
        self._files = files
        self._store = records
        self._clock = clock

    def bring_up(self, record: Record) -> Record:
        """From whatever step was reached to a started container; engine errors pass through."""
        if record.phase == store.RESERVED:
            container_id = self._create(record)
            record = self._store.save(dataclasses.replace(record, phase=store.CREATED, container_id=container_id))
        self._run(record)
        log.info("workload %s started on NPUs %s", record.name, record.npus)
        return self.started(record)

    def restart(self, record: Record) -> Record:
        """Start the same container again; its leases were kept."""
        self._run(record)
        log.info("workload %s is restarted (%d in a row)", record.name, record.restarts)
        return self.started(record)

    def started(self, record: Record) -> Record:
        """Write down that it runs, and since when."""
        since = {"boot_id": self._clock.boot_id, "at_s": self._clock.now_s()}
        runs = dataclasses.replace(
            record, phase=store.STARTED, reason="", restart_due=None, run_since=since, probe_failed=False
        )
        return self._store.save(runs, store.LEASE_HELD)

    def _run(self, record: Record) -> None:
        assert record.container_id is not None
        self._files.put(record.name, record.spec)
        mounts.check_before(record.mounts)
        self._engine.start(record.container_id)
        if record.mounts:
            try:
                mounts.check_after(record.mounts, self._engine.inspect(record.container_id).pid)
            except mounts.MountChangedError:
                self._engine.stop(record.container_id, 0)
                raise

    def halt(self, record: Record, grace_s: int, reason: str) -> tuple[Record, Optional[Container]]:
        """Stop for good and give the NPUs back, but keep the container for its logs."""
        container = self.find(record)
        if container is None or container.state == "created":
            if container is not None:
                self._remove(container, 0)
            gone = dataclasses.replace(record, phase=store.FAILED, container_id=None, restart_due=None, reason=reason)
            return self._store.save_and_release(gone), None
        if container.active:
            self._engine.stop(container.id, grace_s)
            container = self._engine.inspect(container.id)
        if container.active:
            raise engine.RefusedError(f"the container {container.name} still runs after it was stopped and killed")
        return self._store.save_and_release(ended(record, container, reason)), container

    def _create(self, record: Record) -> str:
        """The name is the guard against doubles: a second create finds the first one's container and takes it."""
        name = api.CONTAINER_PREFIX + record.name
        self._files.put(record.name, record.spec)
        try:
            return self._engine.create(name, record.plan)
        except engine.NameTakenError:
            existing = self._engine.inspect(name)
            if not belongs(existing, record):
                raise
            return existing.id

    def take_down(self, record: Record, grace_s: int, reason: str = "being removed") -> None:
        """Stop, remove, look that it is gone, and only then give the NPUs back.

        The grace that was asked for is written down too: who goes on after a crash has no request to read it from.
        """
        removing = dataclasses.replace(record, phase=store.REMOVING, reason=reason, stop_grace_s=grace_s)
        record = self._store.save(removing, store.LEASE_RELEASING)
        container = self.find(record)
        if container is not None:
            self._remove(container, grace_s)
        self._store.forget(record.name)
        self._files.remove(record.name)
        log.info("workload %s removed, NPUs %s are free", record.name, record.npus)

    def _remove(self, container: Container, grace_s: int) -> None:
        try:
            if container.active:
                self._engine.stop(container.id, grace_s)
            self._engine.remove(container.id)
        except engine.NotFoundError:
            return
        try:
            self._engine.inspect(container.id)
        except engine.NotFoundError:
            return
        raise engine.RefusedError(f"the container {container.name} is still there after its removal")

    def fail(self, record: Record, reason: str) -> Record:
        """There is nothing to start: remove what was made, give the NPUs back, and keep the reason."""
        container = self.find(record)
        if container is not None:
            self._remove(container, 0)
        self._files.remove(record.name)
        log.warning("workload %s failed: %s", record.name, reason)
        failed = dataclasses.replace(record, phase=store.FAILED, container_id=None, restart_due=None, reason=reason)
        return self._store.save_and_release(failed)

    def find(self, record: Record) -> Optional[Container]:
        """The workload's container as it is now, or None when it is really not there."""
        for key in (record.container_id, api.CONTAINER_PREFIX + record.name):
            try:
                found = self._engine.inspect(key) if key else None
            except engine.NotFoundError:
                continue
            if found is not None and (found.id == record.container_id or belongs(found, record)):
                return found
        return None

    def abandon(self, record: Record, reason: str) -> None:
        """Undo a start that failed. What cannot be undone now stays on record as a removal, and is tried again."""
        try:
            self.take_down(record, 0, reason)
        except engine.EngineError as error:
            log.warning("workload %s is not cleaned up yet: %s", record.name, error)
        except ProblemError as error:  # not even that can be written: then at least nothing runs meanwhile
            log.warning("workload %s is not cleaned up yet: %s", record.name, error)
            with contextlib.suppress(engine.EngineError):
                container = self.find(record)
                if container is not None:
                    self._remove(container, 0)


def ended(record: Record, container: Container, reason: str) -> Record:
    """The record of a workload whose container has ended for good, and is kept for its logs."""
    return dataclasses.replace(
        record,
        phase=store.FINISHED,
        exit_code=container.exit_code,
        started_at=container.started_at,
        finished_at=container.finished_at,
        restart_due=None,
        reason=reason,
    )


def belongs(container: Container, record: Record) -> bool:
    """Whether it was made from this very record: one of an earlier life of the name may have other NPUs."""
    made = record.plan.get("Labels") or {api.LABEL_WORKLOAD: record.name}
    own = (api.LABEL_WORKLOAD, api.LABEL_SPEC, api.LABEL_NPUS)
    return all(container.labels.get(key) == made[key] for key in own if key in made)


def as_problem(error: engine.EngineError, image: str) -> ProblemError:
    """Docker's failure at a start, in the API's words."""
    if isinstance(error, engine.EngineUnreachableError):
        return docker_unreachable(error)
    if isinstance(error, engine.NameTakenError):
        return ProblemError(
            409,
            api.CODE_DOCKER_REFUSED,
            f"A container with the workload's container name exists and was not made for this spec: {error}.",
            "Rename or remove that container, or give the workload another name.",
        )
    if isinstance(error, FilesError):
        return ProblemError(503, api.CODE_STATE_WRITE, f"{error}.", "See that the node's disk has room.", field="files")
    if isinstance(error, mounts.MountChangedError):
        return guard(
            api.GUARD_MOUNT,
            f"The container was not left running: {error}.",
            "See who changes that folder, then try again.",
            field="mounts",
        )
    if isinstance(error, engine.NotFoundError) and "image" in str(error).lower():
        return image_missing(image)
    return ProblemError(
        422, api.CODE_DOCKER_REFUSED, f"Docker refused to start the container: {error}.", "Correct the spec."
    )


def image_missing(image: str) -> ProblemError:
    return ProblemError(
        422,
        api.CODE_IMAGE_MISSING,
        f"The image {image} is not on this node.",
        "Bring it with the images role or `docker load` or `docker pull`, then try again.",
        field="image",
    )
