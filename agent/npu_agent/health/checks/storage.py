"""storage/<path>: the file systems that the storage role mounted are still there; told from the mount table alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

from npu_agent import api
from npu_agent.facts import NodePaths
from npu_agent.health.check import Context, register
from npu_agent.health.verdict import Verdict


@register
class Storage:
    """Never looks below a mount: a server that is gone would hang the look, and the agent with it."""

    name = "storage"

    def run(self, context: Context) -> Iterable[Verdict]:
        recorded = context.paths.read_json(f"{context.paths.facts_dir}/storage.json") or {}
        wanted = recorded.get("mounts")
        if not isinstance(wanted, dict) or not wanted:
            return []
        mounted = mount_points(context.paths)
        return [_judge(str(path), str(source), mounted) for path, source in wanted.items()]


def mount_points(paths: NodePaths) -> set[str]:
    """Every mount point; line by line, for engines with many containers make the table long."""
    try:
        with paths.at("/proc/self/mounts").open(encoding="utf-8", errors="replace") as stream:
            fields = [line.split(" ", 2)[1] for line in stream if line.count(" ") > 1]
    except OSError:
        return set()
    return {re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field) for field in fields}


def _judge(path: str, source: str, mounted: set[str]) -> Verdict:
    name = f"{Storage.name}{path}"
    if path in mounted:
        return Verdict(name, api.HEALTHY)
    return Verdict(name, api.UNHEALTHY, f"{source} is not mounted on {path}", "fix-configuration")
