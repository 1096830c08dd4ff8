"""disk/<path>: room for the agent's state and for the engine's images and logs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Optional

from npu_agent import api
from npu_agent.health.check import Context, register
from npu_agent.health.limits import by_limit
from npu_agent.health.rules import Rules
from npu_agent.health.verdict import Verdict, gravest

_GIB = 1024**3
_ESCAPED = re.compile(r"\\([0-7]{3})")
# A server that is gone would hang the look at these, and the agent with it.
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "fuse.sshfs", "9p", "afs")


@register
class Disk:
    name = "disk"

    def run(self, context: Context) -> Iterable[Verdict]:
        mounts = _mounts(context.paths.read("/proc/self/mounts") or "")
        return [_judge(path, context.rules) for path in context.disk_paths if not on_network(path, mounts)]


def _mounts(text: str) -> list[tuple[str, str]]:
    fields = [line.split() for line in text.splitlines()]
    return [(_ESCAPED.sub(_unescape, words[1]), words[2]) for words in fields if len(words) > 2]


def _unescape(match: re.Match[str]) -> str:
    """The kernel writes spaces and their like in mount points as octal numbers."""
    return chr(int(match[1], 8))


def on_network(path: str, mounts: list[tuple[str, str]]) -> bool:
    """Tell from the mount table alone, for even a stat may hang."""
    over = [(point, kind) for point, kind in mounts if path == point or path.startswith(point.rstrip("/") + "/")]
    return max(over, key=lambda mount: len(mount[0]), default=("", ""))[1] in _NETWORK


def _judge(path: str, by: Rules) -> Verdict:
    name = f"disk{path}"
    try:
        room = os.statvfs(path)
    except FileNotFoundError:
        return Verdict(name, api.HEALTHY, f"{path} does not exist yet")
    except OSError as error:
        return Verdict(name, api.UNKNOWN, f"{path} cannot be looked at: {error.strerror}", "fix-configuration")
    if room.f_flag & os.ST_RDONLY:
        reason = f"the file system under {path} is read-only"
        return Verdict(name, api.UNHEALTHY, reason, "fix-configuration", marks=("read-only",))
    return judge_room(name, path, room.f_bavail * room.f_frsize, room.f_favail if room.f_files else None, by)


def judge_room(name: str, path: str, free_bytes: int, free_inodes: Optional[int], by: Rules) -> Verdict:
    """Judge what is left; file systems without a fixed number of inodes tell None."""
    free_gib = free_bytes / _GIB
    room = f"{free_gib:.1f} GiB are left under {path}"
    inodes = f"{free_inodes} inodes are left under {path}"
    return gravest(
        [
            Verdict(name, api.HEALTHY),
            *by_limit(name, by, "disk-free-gib", free_gib, room, mark="full", low_is_bad=True),
            *by_limit(name, by, "disk-free-inodes", free_inodes, inodes, mark="inodes", low_is_bad=True),
        ]
    )
