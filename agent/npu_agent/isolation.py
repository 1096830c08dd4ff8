"""What lets a container out of its box: each way is closed unless root's policy opens it, with a code of its own."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from npu_agent import api
from npu_agent.config import Policy
from npu_agent.problem import guard

# The agent alone decides who may open these.
_NPU_DEVICE = re.compile(r"/dev/(davinci\w*|devmm_svm|hisi_hdc|dvpp_cmdlist|uburma|ummu)(/.*)?")


@dataclass(frozen=True)
class Isolation:
    """What of the host the container shares, beside its network."""

    privileged: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    devices: list[str] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Only what is out of the ordinary."""
        everything = {
            "privileged": self.privileged,
            "pid": "host" if self.host_pid else None,
            "ipc": "host" if self.host_ipc else None,
            "devices": self.devices,
            "capabilities": self.capabilities,
        }
        return {key: value for key, value in everything.items() if value}

    def host_config(self) -> dict[str, Any]:
        more: dict[str, Any] = {"Privileged": self.privileged}
        if self.host_pid:
            more["PidMode"] = "host"
        if self.host_ipc:
            more["IpcMode"] = "host"
        if self.capabilities:
            more["CapAdd"] = self.capabilities
        return more


def resolve(spec: api.WorkloadSpec, policy: Policy) -> Isolation:
    if spec.privileged:
        _allow(policy.allow_privileged, api.GUARD_PRIVILEGED, "privileged containers", "privileged", "allow_privileged")
        if spec.npus != "all":
            raise guard(
                api.GUARD_PRIVILEGED,
                "A privileged container can open every NPU of the node, so it must have them all.",
                'Ask npus: "all", or leave privileged out.',
                field="npus",
            )
    if spec.pid == "host":
        _allow(policy.allow_host_pid, api.GUARD_HOST_PID, "the host's process ids", "pid", "allow_host_pid")
    if spec.ipc == "host":
        _allow(policy.allow_host_ipc, api.GUARD_HOST_IPC, "the host's shared memory (ipc)", "ipc", "allow_host_ipc")
    return Isolation(
        privileged=bool(spec.privileged),
        host_pid=spec.pid == "host",
        host_ipc=spec.ipc == "host",
        devices=[_device(path, index, policy.allowed_devices) for index, path in enumerate(spec.devices)],
        capabilities=[_capability(name, i, policy.allowed_capabilities) for i, name in enumerate(spec.capabilities)],
    )


def _allow(allowed: bool, code: str, what: str, field_name: str, key: str) -> None:  # the policy's answer
    if not allowed:
        raise guard(
            code,
            f"The node's policy does not allow {what}.",
            f"Leave {field_name} out; root can set {key} in the policy file.",
            field=field_name,
        )


def _device(path: str, index: int, allowed: Collection[str]) -> str:
    """Give the device's real path: a link in /dev must not name what the policy does not."""
    real = os.path.realpath(path)
    name = f"devices.{index}"
    if _NPU_DEVICE.fullmatch(real):
        raise guard(
            api.GUARD_DEVICE,
            f"{path} is an NPU's device, and the agent alone gives those out.",
            "Ask with npus: a count, ids, or all.",
            field=name,
        )
    if real not in {os.path.realpath(one) for one in allowed}:
        shown = path if real == path else f"{path} (really {real})"
        raise guard(
            api.GUARD_DEVICE,
            f"The node's policy does not allow the device {shown}.",
            "Leave it out; root can add it to allowed_devices in the policy file.",
            field=name,
        )
    if not _is_device(real):
        raise guard(api.GUARD_DEVICE, f"{path} is no device of this node.", "Correct the path.", field=name)
    return real


def _is_device(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _capability(name: str, index: int, allowed: Collection[str]) -> str:
    """Give the name as Docker writes it; SYS_PTRACE and CAP_SYS_PTRACE are one."""
    plain = _plain(name)
    if plain not in {_plain(one) for one in allowed}:
        raise guard(
            api.GUARD_CAPABILITY,
            f"The node's policy does not allow the capability {plain}.",
            "Leave it out; root can add it to allowed_capabilities in the policy file.",
            field=f"capabilities.{index}",
        )
    return plain


def _plain(name: str) -> str:
    upper = name.upper()
    return upper.removeprefix("CAP_")
