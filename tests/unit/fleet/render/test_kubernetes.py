from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from npu_agent import api
from npufleet.errors import UsageError
from npufleet.job.layout import ON_FAILURE, Layout
from npufleet.render import kubernetes, pods, volcano

VERSION = "1.30"
VOLCANO = fastjsonschema.compile(
    json.loads((Path(__file__).parent / "volcano.schema.json").read_text(encoding="utf-8"))
)
SPEC = api.WorkloadSpec(
    "job", "registry.local/img:1", 8, "train", ["python", "t.py"], {"A": "1"},
    mounts=[api.Mount("/mnt/sfs", "/data", read_only=True)], files=[api.TextFile("/etc/x.conf", "x")], workdir="/w",
    resources=api.Resources(cpus=64, memory="500g", shm="100g"),
)  # fmt: skip
SPECS = [SPEC, api.WorkloadSpec("job", "img", 1)]


def check(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(yaml.safe_load(yaml.safe_dump(document)), VERSION, strict=True)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("layout", [None, Layout(2, rank_table="auto")])
def test_manifests_are_valid_for_kubernetes(spec: api.WorkloadSpec, layout: Layout | None) -> None:
    documents = kubernetes.manifests(spec, layout)
    for document in documents:
        check(document)
    job = documents[-1]
    assert job["spec"]["completions"] == (layout.count if layout else 1)


def test_the_real_schema_refuses_what_is_wrong() -> None:
    job = kubernetes.manifests(SPEC, None)[-1]
    job["spec"]["template"]["spec"]["hostNetwrk"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        check(job)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("on_failure", ON_FAILURE)
def test_a_volcano_job_is_valid_and_its_pods_are(spec: api.WorkloadSpec, on_failure: str) -> None:
    job = volcano.manifests(spec, Layout(2, on_failure=on_failure))[-1]
    VOLCANO(job)
    for rank, task in enumerate(job["spec"]["tasks"]):
        meta = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}}
        check({**meta, "template": task["template"]})
        env = {entry["name"]: entry["value"] for entry in task["template"]["spec"]["containers"][0]["env"]}
        assert (env["NODE_RANK"], env["MASTER_ADDR"]) == (str(rank), "job-rank-0-0.job")
    assert job["spec"]["minAvailable"] == 2


def test_npus_by_id_have_no_place_in_a_cluster() -> None:
    with pytest.raises(UsageError, match="by number"):
        pods.count(api.WorkloadSpec("job", "img", [3, 4]))


def test_what_is_not_carried_over_is_named() -> None:
    spec = api.WorkloadSpec("job", "img", 1, probe={"kind": "tcp", "port": 1})
    assert pods.not_carried(spec, Layout(1, rank_table="1.0")) == [
        "probe", "rank_table (the cluster's own operator makes it)",
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "quantity"), [("200g", "200Gi"), ("512M", "512Mi"), ("1024", "1024")])
def test_dockers_sizes_become_quantities(size: str, quantity: str) -> None:
    assert pods.quantity(size) == quantity
