"""What the preparation of the node wrote down for containers: driver files, network card, metadata guard, sizes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional


@dataclass(frozen=True)
class NodeFacts:
    """None for a file that is absent or unreadable: then nothing is assumed."""

    driver: Optional[Mapping[str, Any]] = None
    nic: Optional[Mapping[str, Any]] = None
    guard: Optional[Mapping[str, Any]] = None
    cpus: int = 1
    memory_bytes: int = 0


def _read(path: Path) -> Optional[Mapping[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def read(folder: Path) -> NodeFacts:
    """Three small files and two system calls, read anew for every new workload: a role may have run meanwhile."""
    return NodeFacts(
        driver=_read(folder / "driver.json"),
        nic=_read(folder / "nic.json"),
        guard=_read(folder / "guard.json"),
        cpus=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )


def boot_id(proc: Path = Path("/proc")) -> Optional[str]:
    """Changes with every boot of the node."""
    try:
        return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
