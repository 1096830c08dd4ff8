"""Playbooks that outlived the session which started them: nothing may run beside them on the same nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from npufleet.errors import NpufleetError
from npufleet.result import Frame
from npufleet.rollout.site import Site

PATIENCE_S = 300.0


class OrphanError(NpufleetError):
    code = "rollout-orphan"


def find(pid: int, proc: Path = Path("/proc")) -> list[int]:
    """Processes that work in the run folder of a session of rollout; its name ends with that session's process id."""
    found = []
    for folder in proc.glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(f"-rollout-{pid}/" in word for word in words):
            found.append(int(folder.name))
    return found


def wait(site: Site, pid: int, frame: Frame, *, proc: Path = Path("/proc")) -> Iterator[Frame]:
    """Let a playbook end by itself: cut off, it would leave its nodes in the middle of something."""
    until_s = site.clock.now_s() + PATIENCE_S
    while left := find(pid, proc):
        if site.clock.now_s() >= until_s:
            raise OrphanError(
                f"A playbook of the session that died still runs as process {left[0]}.",
                remedy=f"Look at it, end it with kill {left[0]}, and resume again.",
            )
        yield frame
        site.clock.sleep(1.0)
