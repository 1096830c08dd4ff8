"""What each node of a job is sent: the job's workload, with the variables, labels and files of its rank."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from npu_agent import api
from npufleet.errors import JobError, UsageError
from npufleet.job import rank_table
from npufleet.job.layout import TABLE_TARGET, Layout
from npufleet.job.rank_table import Member
from npufleet.survey import NodeStatus

JOB = "npufleet.job"
RANK = "npufleet.rank"
RANKS = "npufleet.ranks"
SHA256 = "npufleet.job-sha256"
ATTEMPT = "npufleet.attempt"
LABELS = (JOB, RANK, RANKS, SHA256, ATTEMPT)
# Set for each rank; a job file that sets them too would contradict itself.
VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NNODES", "NODE_RANK", "NPUS_PER_NODE", "RANK_TABLE_FILE")


def digest(spec: api.WorkloadSpec, layout: Layout) -> str:
    """One job file, one digest: so a job that runs already is told from another one of the same name."""
    text = json.dumps([spec.to_dict(), layout.to_dict()], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def common(spec: api.WorkloadSpec, layout: Layout) -> api.WorkloadSpec:
    """The part that is the same for every rank. Ranks meet on the host's network unless the job says otherwise."""
    for key in VARIABLES:
        if key in spec.env:
            raise UsageError(
                f"The job sets {key}, which each rank is given.", code="invalid-spec", remedy="Leave it out."
            )
    for key in LABELS:
        if key in spec.labels:
            raise UsageError(f"The label {key} is npufleet's own.", code="invalid-spec", remedy="Leave it out.")
    network = spec.network or ("host" if layout.count > 1 else None)
    return dataclasses.replace(spec, network=network)


def member(status: NodeStatus, npus: Sequence[int]) -> Member:
    assert status.facts is not None, "a node that was chosen has answered"
    addresses = {npu.npu: npu.device_ip for npu in status.npus if npu.device_ip}
    variables = status.node.variables
    super_ids = variables.get("npu_super_device_ids")
    ids = super_ids if isinstance(super_ids, list) else []
    pod = variables.get("npu_super_pod_id")
    return Member(
        status.node.name,
        sorted(npus),
        address_of(status),
        addresses,
        status.facts.node.chip,
        None if pod is None else str(pod),
        {npu: str(found) for npu, found in enumerate(ids)},
    )


def address_of(status: NodeStatus) -> str:
    """Where the other ranks reach this node: the address that nic_env found, else the one that Ansible uses."""
    facts: Mapping[str, Any] = status.facts.node.facts if status.facts else {}
    nic = facts.get("nic") or {}
    address = nic.get("address") if isinstance(nic, Mapping) else None
    return str(address or status.node.ssh.host)


def specs(base: api.WorkloadSpec, layout: Layout, members: Sequence[Member], labels: Mapping[str, str]) -> list[Any]:
    """One spec a member, in rank order."""
    sizes = {len(member.npus) for member in members}
    if len(sizes) != 1:
        told = ", ".join(f"{member.node} {len(member.npus)}" for member in members)
        raise JobError(
            f"The nodes would give different numbers of NPUs: {told}.",
            code="npus-uneven",
            remedy="Give npus as a count that every node has.",
        )
    table = rank_table.build(layout.rank_table, members) if layout.rank_table else None
    env = {
        "MASTER_ADDR": members[0].host_ip,
        "MASTER_PORT": str(layout.master_port),
        "NNODES": str(len(members)),
        "NPUS_PER_NODE": str(sizes.pop()),
        **({"RANK_TABLE_FILE": TABLE_TARGET} if table else {}),
    }
    files = [*base.files, *([api.TextFile(TABLE_TARGET, table)] if table else [])]
    return [
        dataclasses.replace(
            base,
            env={**base.env, **env, "NODE_RANK": str(rank)},
            labels={**base.labels, **labels, JOB: base.name, RANK: str(rank), RANKS: str(len(members))},
            files=files,
        )
        for rank in range(len(members))
    ]


def label(workload: api.Workload, key: str) -> str | None:
    labels = workload.spec.get("labels")
    found = labels.get(key) if isinstance(labels, Mapping) else None
    return found if isinstance(found, str) else None


def rank_of(workload: api.Workload) -> int | None:
    found = label(workload, RANK)
    return int(found) if found is not None and found.isdecimal() else None
