"""A Volcano job: all pods start or none does, as `npufleet run` does it without a cluster."""

from __future__ import annotations

from typing import Any

from npu_agent import api
from npufleet.job.layout import NONE, RESTART_ELSEWHERE, STOP_ALL, Layout
from npufleet.render import pods

_POLICIES = {
    STOP_ALL: [{"event": "PodFailed", "action": "AbortJob"}, {"event": "PodEvicted", "action": "AbortJob"}],
    RESTART_ELSEWHERE: [
        {"event": "PodFailed", "action": "RestartJob"},
        {"event": "PodEvicted", "action": "RestartJob"},
    ],
    NONE: [],
}


def manifests(spec: api.WorkloadSpec, layout: Layout | None) -> list[dict[str, Any]]:
    """One task a rank, so that each pod's rank is written down; the svc plugin gives the pods their names."""
    wanted = layout or Layout(1)
    job: dict[str, Any] = {
        "apiVersion": "batch.volcano.sh/v1alpha1",
        "kind": "Job",
        "metadata": {"name": spec.name},
        "spec": {
            "schedulerName": "volcano",
            "minAvailable": wanted.count,
            "maxRetry": wanted.restarts,
            "plugins": {"svc": [], "env": []},
            "policies": _POLICIES[wanted.on_failure],
            "tasks": [_task(spec, wanted, rank) for rank in range(wanted.count)],
        },
    }
    return [*pods.config_map(spec), job]


def _task(spec: api.WorkloadSpec, layout: Layout, rank: int) -> dict[str, Any]:
    env = [
        {"name": "MASTER_ADDR", "value": f"{spec.name}-rank-0-0.{spec.name}"},
        {"name": "MASTER_PORT", "value": str(layout.master_port)},
        {"name": "NNODES", "value": str(layout.count)},
        {"name": "NPUS_PER_NODE", "value": str(pods.count(spec))},
        {"name": "NODE_RANK", "value": str(rank)},
    ]
    return {"name": f"rank-{rank}", "replicas": 1, "template": pods.pod(spec, env, {"app": spec.name})}
