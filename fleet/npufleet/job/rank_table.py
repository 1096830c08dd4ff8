"""The rank table that HCCL reads: which NPU at which address has which rank. Numbers are texts in it.

Version 1.0 is for servers whose NPUs have a network port each (A2); 1.2 adds what ties NPUs to a super pod (A3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from npufleet.errors import JobError

# npu-smi's table calls an A3 just Ascend910; which of its kinds it is, 910_9392 for one, other questions tell.
SUPER_POD_CHIPS = re.compile(r"Ascend910|(Ascend)?910(_93.*|C)")
_ASK_SUPER_POD = "npu-smi info -t spod-info -i CARD -c CHIP"


@dataclass(frozen=True)
class Member:
    """A node of the job in rank order, with its NPUs by physical id."""

    node: str
    npus: Sequence[int]
    host_ip: str
    device_ips: Mapping[int, str] = field(default_factory=dict)
    chip: str | None = None
    super_pod_id: str | None = None
    super_device_ids: Mapping[int, str] = field(default_factory=dict)


def version_for(wanted: str, members: Sequence[Member]) -> str:
    """Choose by the chips where the job leaves it open."""
    if wanted != "auto":
        return wanted
    return "1.2" if any(SUPER_POD_CHIPS.fullmatch(member.chip or "") for member in members) else "1.0"


def build(wanted: str, members: Sequence[Member]) -> str:
    version = version_for(wanted, members)
    rank = 0
    servers: list[dict[str, Any]] = []
    for member in members:
        devices = [_device(version, member, npu, rank + index) for index, npu in enumerate(member.npus)]
        rank += len(devices)
        servers.append({"server_id": member.node, "host_ip": member.host_ip, "device": devices})
    table: dict[str, Any] = {
        "status": "completed",
        "version": version,
        "server_count": str(len(servers)),
        "server_list": servers,
    }
    if version == "1.2":
        table["super_pod_list"] = _super_pods(members)
    return json.dumps(table, indent=1) + "\n"


def _device(version: str, member: Member, npu: int, rank: int) -> dict[str, str]:
    address = member.device_ips.get(npu)
    if address is None:
        raise JobError(
            f"{member.node}: the address of NPU {npu}'s network port is not known, so there is no rank table.",
            code="device-ip-unknown",
            remedy="Where /etc/hccn.conf does not tell, the agent asks for it in the first minutes: try again then;"
            " or see hccn_tool -i N -ip -g on the node, or leave rank_table out.",
            node=member.node,
        )
    device = {"device_id": str(npu), "device_ip": address, "rank_id": str(rank)}
    if version == "1.2":
        device["super_device_id"] = _super_device(member, npu)
    return device


def _super_device(member: Member, npu: int) -> str:
    found = member.super_device_ids.get(npu)
    if found is None or member.super_pod_id is None:
        raise JobError(
            f"{member.node}: where NPU {npu} is in its super pod is not known, and a rank table 1.2 needs it.",
            code="super-pod-unknown",
            remedy=f"Give the node npu_super_pod_id and npu_super_device_ids in the inventory; {_ASK_SUPER_POD} tells.",
            node=member.node,
        )
    return found


def _super_pods(members: Sequence[Member]) -> list[dict[str, Any]]:
    pods: dict[str, list[dict[str, str]]] = {}
    for member in members:
        pods.setdefault(str(member.super_pod_id), []).append({"server_id": member.node})
    return [{"super_pod_id": pod, "server_list": servers} for pod, servers in pods.items()]
