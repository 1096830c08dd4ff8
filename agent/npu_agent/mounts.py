"""That a container got the very folders that were checked: a path may become a link between the look and the mount.

Docker takes a path, not an open folder, so who may write in a mount root could swap a part of the path after the
check. Hence two looks: the path must still be its own real path right before the start, and right after it the
kernel's table of the container's mounts must name the same file system and folder. A container that has another one
is killed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from npu_agent import api, engine

PROC = Path("/proc")
_ESCAPED = re.compile(r"\\([0-7]{3})")


class MountChangedError(engine.RefusedError):
    """A mounted folder is not the one that was checked."""


@dataclass(frozen=True)
class Entry:
    """A line of mountinfo: which folder of which file system is where."""

    device: str
    root: str
    target: str


def parse(text: str) -> list[Entry]:
    found = []
    for line in text.splitlines():
        parts = line.split(" ")
        if len(parts) > 5:
            found.append(Entry(parts[2], _plain(parts[3]), _plain(parts[4])))
    return found


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


def where(path: str, table: Iterable[Entry]) -> Optional[Entry]:
    """The file system and folder that a path of this table's namespace is; the last mount on a path covers others."""
    best: Optional[Entry] = None
    for entry in table:
        inside = path == entry.target or path.startswith(entry.target.rstrip("/") + "/")
        if inside and (best is None or len(entry.target) >= len(best.target)):
            best = entry
    if best is None:
        return None
    rest = os.path.relpath(path, best.target)
    root = best.root if rest == "." else os.path.join(best.root, rest)  # noqa: PTH118  # text of another namespace
    return Entry(best.device, root, path)


def checked(mounts: Sequence[api.Mount]) -> list[dict[str, str]]:
    """What of a spec's own mounts is kept on record for the looks to come."""
    return [{"source": mount.source, "target": mount.target} for mount in mounts]


def check_before(mounts: Sequence[dict[str, str]]) -> None:
    for mount in mounts:
        source = mount["source"]
        real = os.path.realpath(source)
        if real != source:
            raise MountChangedError(f"the mount's source {source} became a link to {real} after it was checked")
        if not os.path.lexists(source):
            raise MountChangedError(f"the mount's source {source} is gone")


def check_after(mounts: Sequence[dict[str, str]], pid: Optional[int], proc: Optional[Path] = None) -> None:
    """Compare with the running container's table; one that has ended already has none to compare."""
    if not mounts or not pid:
        return
    try:
        inside = {(entry.device, entry.root) for entry in _table(proc or PROC, pid)}
        host = _table(proc or PROC, 1)
    except OSError:
        return
    for mount in mounts:
        expected = where(mount["source"], host)
        if inside and expected is not None and (expected.device, expected.root) not in inside:
            raise MountChangedError(
                f"the container has another folder at {mount['target']} than {mount['source']}, which was checked"
            )


def _table(proc: Path, pid: int) -> list[Entry]:
    return parse((proc / str(pid) / "mountinfo").read_text(encoding="utf-8"))
