"""Brings images that a spec may have pulled: one thread an image, told in per cent, tried again, ended by a DELETE.

Credentials come from the node's own Docker configuration, which is root's; they are in no answer and in no line of the
journal.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Optional

from npu_agent import engine, units
from npu_agent.engine import Engine

log = logging.getLogger(__name__)

ATTEMPTS = 5
BACKOFF_S = 5.0


def in_thread(action: Callable[[], None]) -> None:
    threading.Thread(target=action, name="pull", daemon=True).start()


class Pulls:
    def __init__(
        self,
        containers: Engine,
        spawn: Callable[[Callable[[], None]], None] = in_thread,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = containers
        self._spawn = spawn
        self._sleep = sleep
        self._guard = threading.Lock()
        self._words: dict[str, str] = {}

    def words(self, name: str) -> Optional[str]:
        """How far the pull for this workload is, or None where none is under way."""
        return self._words.get(name)

    def begin(self, name: str, image: str, wanted: Callable[[], bool], done: Callable[[Optional[str]], None]) -> None:
        """Start it unless it is under way. `done` is told why it failed, or None; nothing, when no longer wanted."""
        with self._guard:
            if name in self._words:
                return
            self._words[name] = "its image is being pulled"
        self._spawn(lambda: self._run(name, image, wanted, done))

    def _run(self, name: str, image: str, wanted: Callable[[], bool], done: Callable[[Optional[str]], None]) -> None:
        try:
            failure = self._try(name, image, wanted)
            if wanted():
                done(failure)
        except engine.EngineUnreachableError as error:
            log.warning("the pull of %s waits for Docker: %s", image, error)  # the next cycle begins it again
        except Exception:
            log.exception("the pull of %s for workload %s ended", image, name)
        finally:
            with self._guard:
                self._words.pop(name, None)

    def _try(self, name: str, image: str, wanted: Callable[[], bool]) -> Optional[str]:
        words = ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._pull(name, image, wanted)
            except (engine.NotFoundError, engine.DeniedError) as error:
                return f"the image {image} cannot be pulled: {error}"
            except engine.RefusedError as error:
                words = str(error)
                log.warning("pull of %s, attempt %d of %d: %s", image, attempt, ATTEMPTS, words)
            else:
                return None
            if attempt < ATTEMPTS and wanted():
                wait = BACKOFF_S * 2 ** (attempt - 1)
                self._words[name] = f"the pull of its image failed ({words}); attempt {attempt + 1} in {wait:g} s"
                self._sleep(wait)
            if not wanted():
                return None
        return f"the image {image} cannot be pulled, after {ATTEMPTS} attempts: {words}"

    def _pull(self, name: str, image: str, wanted: Callable[[], bool]) -> None:
        layers: dict[str, tuple[int, int]] = {}
        events = self._engine.pull(image)
        for event in events:
            note(layers, event)
            self._words[name] = sentence(layers)
            if not wanted():
                break


def note(layers: dict[str, tuple[int, int]], event: Mapping[str, Any]) -> None:
    """Count what is downloaded; a layer's size is known with its first bytes."""
    layer, detail = str(event.get("id", "")), event.get("progressDetail") or {}
    if event.get("status") == "Downloading" and detail.get("total"):
        layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
    elif event.get("status") in {"Download complete", "Pull complete"} and layer in layers:
        layers[layer] = (layers[layer][1], layers[layer][1])


def sentence(layers: Mapping[str, tuple[int, int]]) -> str:
    total = sum(size for _, size in layers.values())
    if not total:
        return "its image is being pulled"
    have = sum(current for current, _ in layers.values())
    return f"its image is being pulled: {100 * have // total} % of {units.show_size(total)} in the layers begun"
