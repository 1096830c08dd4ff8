"""The pod of a rank: what Kubernetes and Volcano share. There the device plugin gives the NPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from npu_agent import api
from npufleet.errors import UsageError
from npufleet.job.layout import TABLE_TARGET, Layout

NPU_RESOURCE = "huawei.com/Ascend910"
_SHM_FLOOR = {"train": "200g", "infer": "64g", "aigc": "60g", "aigc-lora": "60g", "aigc-finetune": "60g"}
_SIZE = re.compile(r"(\d+)([bkmgt]?)", re.IGNORECASE)
_UNITS = {"": "", "b": "", "k": "Ki", "m": "Mi", "g": "Gi", "t": "Ti"}
_ONLY_DOCKER = ("privileged", "pid", "ipc", "devices", "capabilities", "probe", "training")


def quantity(size: str) -> str:
    """Docker's 200g is Kubernetes' 200Gi."""
    match = _SIZE.fullmatch(size)
    if match is None:
        raise UsageError(f"{size!r} is not a size.", code="invalid-spec")
    return match[1] + _UNITS[match[2].lower()]


def not_carried(spec: api.WorkloadSpec, layout: Layout | None) -> list[str]:
    """What of the job has no place in a manifest: said, not lost silently."""
    left = [key for key in _ONLY_DOCKER if getattr(spec, key)]
    if layout is not None and layout.rank_table:
        left.append("rank_table (the cluster's own operator makes it)")
    return left


def count(spec: api.WorkloadSpec) -> int:
    npus = spec.npus if spec.npus is not None else api.PROFILE_NPUS[spec.profile]
    if isinstance(npus, int):
        return npus
    raise UsageError(
        "Kubernetes gives NPUs by number, not by id or all.",
        code="invalid-spec",
        remedy="Give npus as a count, such as 8, in the job file.",
    )


def pod(spec: api.WorkloadSpec, env: list[dict[str, Any]], labels: Mapping[str, str]) -> dict[str, Any]:
    host = (spec.network or ("host" if spec.profile in {"train", "infer"} else "bridge")) == "host"
    volumes, mounts = _volumes(spec)
    container: dict[str, Any] = {
        "name": "main",
        "image": spec.image,
        "env": [*({"name": key, "value": value} for key, value in spec.env.items()), *env],
        "resources": _resources(spec),
        "volumeMounts": mounts,
    }
    if spec.command is not None:
        # Kubernetes' args are Docker's command: the image's own entrypoint stays.
        container["args"] = list(spec.command)
    if spec.workdir is not None:
        container["workingDir"] = spec.workdir
    inside: dict[str, Any] = {
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": spec.stop_grace_s,
        "volumes": volumes,
    }
    if host:
        inside |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    return {"metadata": {"labels": dict(labels)}, "spec": inside}


def _resources(spec: api.WorkloadSpec) -> dict[str, Any]:
    limits = {NPU_RESOURCE: str(count(spec))}
    if spec.resources.cpus is not None:
        limits["cpu"] = f"{spec.resources.cpus:g}"
    if spec.resources.memory is not None:
        limits["memory"] = quantity(spec.resources.memory)
    return {"limits": limits, "requests": dict(limits)}


def _volumes(spec: api.WorkloadSpec) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    shm = quantity(spec.resources.shm or _SHM_FLOOR.get(spec.profile, "1g"))
    volumes: list[dict[str, Any]] = [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shm}}]
    mounts: list[dict[str, Any]] = [{"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108  # the container's own
    for index, mount in enumerate(spec.mounts):
        volumes.append({"name": f"mount-{index}", "hostPath": {"path": mount.source}})
        mounts.append({"name": f"mount-{index}", "mountPath": mount.target, "readOnly": mount.read_only})
    files = [found for found in spec.files if found.target != TABLE_TARGET]
    if files:
        volumes.append({"name": "files", "configMap": {"name": f"{spec.name}-files"}})
    for index, found in enumerate(files):
        place = {"name": "files", "mountPath": found.target, "subPath": f"file-{index}", "readOnly": True}
        mounts.append(place)
    return volumes, mounts


def config_map(spec: api.WorkloadSpec) -> list[dict[str, Any]]:
    files = [found for found in spec.files if found.target != TABLE_TARGET]
    if not files:
        return []
    data = {f"file-{index}": found.text for index, found in enumerate(files)}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{spec.name}-files"}, "data": data}]
