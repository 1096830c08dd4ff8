"""A node whose kernel hands out traffic classes by control group, as servers with cgroup v1 have it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.nodes import Node

MOUNT = "/sys/fs/cgroup/net_cls"


@contextmanager
def hierarchy(node: Node) -> Iterator[None]:
    """Mount it on the node, for a while.

    A kernel makes a new hierarchy only outside of control group namespaces, so the machine holds one, in a mount
    namespace that nobody else sees; in the node's namespace it can be mounted then.
    """
    if "tmpfs" not in node.run("stat -fc %T /sys/fs/cgroup"):
        pytest.skip("this kernel has no cgroup v1 in use, so the engine would put no container into a class")
    with tempfile.TemporaryDirectory() as folder, held(Path(folder)):
        node.run(
            "mount -o remount,rw /sys/fs/cgroup &&"
            f" mkdir -p {MOUNT} && mount -t cgroup -o net_cls net_cls {MOUNT} && mount -o remount,ro /sys/fs/cgroup"
        )
        try:
            yield
        finally:
            node.run(f"umount {MOUNT}")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    script = f"mount -t cgroup -o net_cls npufleet-net_cls {folder} && echo held && exec cat"
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    try:
        assert holder.stdout is not None
        if holder.stdout.readline().strip() != b"held":
            pytest.skip("this machine cannot mount net_cls")
        yield
    finally:
        holder.communicate(timeout=10)
