"""disk/<path>: room for the agent's state and for the engine's images and logs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Optional

from npu_agent import api
from npu_agent.health.check import Context, register
from npu_agent.health.verdict import Verdict

_GIB = 1024**3
_FULL_BYTES = 1 * _GIB
_SCARCE_BYTES = 5 * _GIB
# A server that is gone would hang the look at these, and the agent with it.
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "fuse.sshfs", "9p", "afs")


@register
class Disk:
    name = "disk"

    def run(self, context: Context) -> Iterable[Verdict]:
        mounts = _mounts(context.paths.read("/proc/self/mounts") or "")
        return [_judge(path) for path in context.disk_paths if not on_network(path, mounts)]


def _mounts(text: str) -> list[tuple[str, str]]:
    fields = [line.split() for line in text.splitlines()]
    return [(words[1], words[2]) for words in fields if len(words) > 2]


def on_network(path: str, mounts: list[tuple[str, str]]) -> bool:
    """Tell from the mount table alone, for even a stat may hang."""
    over = [(point, kind) for point, kind in mounts if path == point or path.startswith(point.rstrip("/") + "/")]
    return max(over, key=lambda mount: len(mount[0]), default=("", ""))[1] in _NETWORK


def _judge(path: str) -> Verdict:
    name = f"disk{path}"
    try:
        room = os.statvfs(path)
    except FileNotFoundError:
        return Verdict(name, api.HEALTHY, f"{path} does not exist yet")
    except OSError as error:
        return Verdict(name, api.UNKNOWN, f"{path} cannot be looked at: {error.strerror}", "fix-configuration")
    return judge_room(name, path, room.f_bavail * room.f_frsize, room.f_favail if room.f_files else None)


def judge_room(name: str, path: str, free_bytes: int, free_inodes: Optional[int]) -> Verdict:
    """Judge what is left; file systems without a fixed number of inodes tell None."""
    left = f"{free_bytes / _GIB:.1f} GiB are left under {path}"
    if free_inodes is not None and free_inodes < 1000:
        return Verdict(name, api.UNHEALTHY, f"{free_inodes} inodes are left under {path}", "fix-configuration")
    if free_bytes < _FULL_BYTES:
        return Verdict(name, api.UNHEALTHY, left, "fix-configuration")
    if free_bytes < _SCARCE_BYTES:
        return Verdict(name, api.DEGRADED, left, "fix-configuration")
    return Verdict(name, api.HEALTHY)
