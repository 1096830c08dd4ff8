"""Who changed what, when, and with which result: two files of root's that are only added to, and bounded.

Changes and refused attempts have a file each, so that nobody can push a change out by being refused often.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from npu_agent import units

log = logging.getLogger("npu_agent.audit")

CHANGES = "audit.jsonl"
REFUSED = "refused.jsonl"
SIZE_LIMIT = 4 << 20
FILES_KEPT = 4
REFUSALS_A_MINUTE = 120
_MINUTE_S = 60.0
_TEXT_LIMIT = 200


@dataclass(frozen=True)
class Entry:
    """`who` is a token's, a certificate's or a user's name; `what` a method and a path, never a body or a query."""

    who: str
    via: str
    client: str
    what: str
    status: int
    code: Optional[str] = None
    spec: Optional[str] = None  # the entity tag of the workload that the answer told

    def line(self) -> str:
        told = {key: value for key, value in asdict(self).items() if value is not None}
        shown = {key: value[:_TEXT_LIMIT] if isinstance(value, str) else value for key, value in told.items()}
        return json.dumps({"at": units.utc_now(), **shown}, ensure_ascii=True, separators=(",", ":"))

    def sentence(self) -> str:
        """One line of printable letters, for the journal."""
        what, who = (repr(text[:_TEXT_LIMIT])[1:-1] for text in (self.what, self.who))
        return f"{what} by {who} from {self.client}: {self.status}" + (f" {self.code}" if self.code else "")


class Trail:
    """Writes entries. A disk that takes none is told in the journal, which has every change as well."""

    def __init__(self, folder: Optional[Path] = None, size_limit: int = SIZE_LIMIT) -> None:
        """Without a folder there is only the journal."""
        self._folder = folder
        self._size_limit = size_limit
        self._lock = threading.Lock()
        self._failed = False
        self._minute = float("-inf")
        self._refusals = 0

    def changed(self, entry: Entry) -> None:
        """Write down a change, on disk before it is answered."""
        log.info("%s", entry.sentence())
        self._write(CHANGES, entry, sync=True)

    def refused(self, entry: Entry) -> None:
        """Write down an attempt of somebody who may not; of a flood, its begin and its size."""
        with self._lock:
            now = time.monotonic()
            if now - self._minute >= _MINUTE_S:
                if self._refusals > REFUSALS_A_MINUTE:
                    log.warning("%d refused attempts are not told one by one", self._refusals - REFUSALS_A_MINUTE)
                self._minute, self._refusals = now, 0
            self._refusals += 1
            if self._refusals > REFUSALS_A_MINUTE:
                return
        log.warning("%s", entry.sentence())
        self._write(REFUSED, entry, sync=False)

    def _write(self, name: str, entry: Entry, *, sync: bool) -> None:
        if self._folder is None:
            return
        with self._lock:
            try:
                self._append(self._folder / name, entry.line().encode() + b"\n", sync=sync)
                self._failed = False
            except OSError as error:
                if not self._failed:
                    log.warning("the audit trail cannot be written, only this journal has it: %s", error)
                self._failed = True

    def _append(self, path: Path, line: bytes, *, sync: bool) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            if os.write(handle, line) != len(line):
                # Half a line must not run into the next one.
                os.ftruncate(handle, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if sync:
                os.fdatasync(handle)
        finally:
            os.close(handle)
        if size + len(line) > self._size_limit:
            _turn(path)


def _turn(path: Path) -> None:
    """The full file becomes number 1, the others go on by one, and the oldest goes."""
    for number in range(FILES_KEPT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if newer.exists():
            newer.replace(older)
