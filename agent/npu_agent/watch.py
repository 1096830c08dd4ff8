"""Docker as the agent last saw it, and the reconciliation that follows every look."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from npu_agent.engine import Container, Engine, EngineError
from npu_agent.reconcile import Reconciler

log = logging.getLogger(__name__)

STALE_AFTER_S = 90.0  # one call of Docker may take 30 s before it is given up


@dataclass(frozen=True)
class DockerState:
    """`error` is None when Docker answered; `seen_at` is the monotonic time of its last answer.

    `stale` says that this was too long ago: the look that should follow hangs.
    """

    containers: tuple[Container, ...] = ()
    version: Optional[str] = None
    error: Optional[str] = "Docker has not been asked yet"
    asked: bool = False
    seen_at: Optional[float] = None
    stale: bool = False

    @property
    def answers(self) -> bool:
        return self.error is None and not self.stale


class DockerWatch:
    """One thread calls look(); a request that changed something calls see(); everybody else reads."""

    def __init__(
        self,
        containers: Engine,
        reconciler: Reconciler,
        clock: Callable[[], float] = time.monotonic,
        stale_after_s: float = STALE_AFTER_S,
    ) -> None:
        self._stale_after_s = stale_after_s
        self._engine = containers
        self._reconciler = reconciler
        self._clock = clock
        self._one_at_a_time = threading.Lock()  # an older list must not replace a newer one
        self.state = DockerState()

    def current(self) -> DockerState:
        """The state as of now: an answer that nobody has renewed for long is not believed."""
        state = self.state
        stale = state.seen_at is not None and self._clock() - state.seen_at > self._stale_after_s
        return dataclasses.replace(state, stale=True) if stale else state

    def look(self) -> DockerState:
        state = self.see()
        if state.error is None:
            self._reconciler.run(state.containers)
        else:
            self._reconciler.blind()
        return state

    def see(self) -> DockerState:
        """Only list the containers, so that who reads right after a change reads the change."""
        with self._one_at_a_time:
            self.state = self._listed()
            return self.state

    def _listed(self) -> DockerState:
        try:
            version = self.state.version if self.state.error is None else self._engine.version()
            found = tuple(self._engine.containers())
        except EngineError as error:
            if self.state.error != str(error):
                log.warning("Docker does not answer: %s", error)
            last = self.state
            return DockerState(last.containers, last.version, str(error), asked=True, seen_at=last.seen_at)
        if self.state.error is not None:
            log.info("Docker %s answers", version)
        return DockerState(found, version, None, asked=True, seen_at=self._clock())
