"""Plain Kubernetes: an Indexed Job, whose pods know their rank, and a Service by which they find rank 0."""

from __future__ import annotations

from typing import Any

from npu_agent import api
from npufleet.job.layout import Layout
from npufleet.render import pods

INDEX = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def manifests(spec: api.WorkloadSpec, layout: Layout | None) -> list[dict[str, Any]]:
    wanted = layout or Layout(1)
    env: list[dict[str, Any]] = [
        {"name": "MASTER_ADDR", "value": f"{spec.name}-0.{spec.name}"},
        {"name": "MASTER_PORT", "value": str(wanted.master_port)},
        {"name": "NNODES", "value": str(wanted.count)},
        {"name": "NPUS_PER_NODE", "value": str(pods.count(spec))},
        {"name": "NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": INDEX}}},
    ]
    labels = {"app": spec.name}
    pod = pods.pod(spec, env, labels)
    pod["spec"]["subdomain"] = spec.name
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": spec.name, "labels": dict(labels)},
        "spec": {
            "completionMode": "Indexed",
            "completions": wanted.count,
            "parallelism": wanted.count,
            "backoffLimit": 0,
            "template": pod,
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": spec.name, "labels": dict(labels)},
        "spec": {
            "clusterIP": "None",
            "selector": dict(labels),
            "publishNotReadyAddresses": True,
            "ports": [{"name": "master", "port": wanted.master_port}],
        },
    }
    return [*pods.config_map(spec), service, job]
