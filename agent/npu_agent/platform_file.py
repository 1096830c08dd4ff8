"""The health file of the ModelArts platform, for images that read it: kept current where the site asks for it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from npu_agent import api
from npu_agent.health import faults

log = logging.getLogger(__name__)

_VERSION = "v1"
_MODE = 0o644  # containers read it as any user
_BY_ACTION = {
    "none": "L1",
    "restart-workload": "L2",
    "reset-npu-when-idle": "L4",
    "reset-npu": "L4",
    "reboot-node": "L5",
    "replace-hardware": "L5",
}
_NAMES = {
    "L0": "Healthy",
    "L1": "NotHandle",
    "L2": "RestartRequest",
    "L3": "RestartBusiness",
    "L4": "RestartNPU",
    "L5": "Separate",
}
_UNKNOWN = ("L5", "Unknown")


def document(npus: Sequence[api.Npu], components: Mapping[str, api.Component]) -> dict[str, Any]:
    """Build the file's content. What is not known to be healthy is said to be not healthy."""
    return {
        "version": _VERSION,
        "resources": [{"type": "NPU", "status": [_status(npu, components.get(f"npu/{npu.npu}")) for npu in npus]}],
    }


def _status(npu: api.Npu, component: Optional[api.Component]) -> dict[str, Any]:
    level, name = _level(npu)
    codes = [f"0x{code.upper()}" for code in npu.error_codes]
    if level != "L0" and not codes:
        # Readers take an NPU whose list of codes is empty for healthy, whatever its level says.
        codes = [npu.state]
    return {
        "npu": npu.npu,
        "name": npu.name or "",
        "health": npu.state in (api.HEALTHY, api.DEGRADED),
        "errCodes": codes,
        "errMessages": [_message(code, npu) for code in codes],
        "errLevel": level,
        "errLevelName": name,
        "errTime": (component.since or "") if component is not None and level != "L0" else "",
    }


def _level(npu: api.Npu) -> tuple[str, str]:
    if npu.state == api.UNKNOWN:
        return _UNKNOWN
    if npu.state == api.HEALTHY:
        level = "L1" if npu.error_codes else "L0"
    elif npu.state == api.UNHEALTHY and npu.action in ("none", "restart-workload"):
        level = "L3"
    else:
        level = _BY_ACTION.get(npu.action, "L4" if npu.state == api.UNHEALTHY else "L1")
    return level, _NAMES[level]


def _message(code: str, npu: api.Npu) -> str:
    fault = faults.lookup(code)
    return fault.sentence() if fault else npu.reason


class PlatformFile:
    """update() writes only what has changed, and never a half of it; any thread may call it."""

    def __init__(self, path: Optional[str]) -> None:
        self._path = Path(path) if path else None
        self._written: Optional[dict[str, Any]] = None
        self._failed = False
        self._lock = threading.Lock()

    def update(self, npus: Sequence[api.Npu], components: Mapping[str, api.Component]) -> None:
        if self._path is not None and npus:
            with self._lock:
                self._update(self._path, document(npus, components))

    def _update(self, path: Path, wanted: dict[str, Any]) -> None:
        if wanted == self._written:
            return
        try:
            write(path, wanted)
            self._written, self._failed = wanted, False
        except OSError as error:
            if not self._failed:
                log.warning("%s cannot be written: %s", path, error)
            self._failed = True


def withdraw(path: Path) -> bool:
    """The agent has stopped, by itself or not: nobody vouches any more for what the file says. Says whether it was."""
    import yaml  # noqa: PLC0415  # see write

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        status = [item for resource in found["resources"] for item in resource["status"]]
        npus = [api.Npu(item["npu"], name=item["name"] or None, reason="the agent does not run") for item in status]
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError):
        return False
    write(path, document(npus, {}))
    return True


def write(path: Path, content: Mapping[str, Any]) -> None:
    import yaml  # noqa: PLC0415  # 15 ms that only a change of the file has to pay

    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), _MODE)
        yaml.safe_dump(dict(content), stream, sort_keys=False, allow_unicode=True)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
