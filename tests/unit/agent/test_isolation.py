from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npu_agent import api, isolation
from npu_agent.config import Policy
from npu_agent.problem import ProblemError


def refused(policy: Policy | None = None, **changes: Any) -> api.Problem:
    with pytest.raises(ProblemError) as caught:
        isolation.resolve(api.WorkloadSpec("job", "img", **{"npus": 1, **changes}), policy or Policy())
    assert caught.value.problem.remedy
    return caught.value.problem


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"privileged": True, "npus": "all"}, api.GUARD_PRIVILEGED),
        ({"pid": "host"}, api.GUARD_HOST_PID),
        ({"ipc": "host"}, api.GUARD_HOST_IPC),
        ({"devices": ["/dev/fuse"]}, api.GUARD_DEVICE),
        ({"capabilities": ["SYS_PTRACE"]}, api.GUARD_CAPABILITY),
    ],
)
def test_every_way_out_is_closed_and_has_a_code_of_its_own(changes: dict[str, Any], code: str) -> None:
    assert refused(**changes).code == code


def test_privileged_needs_every_npu_as_well() -> None:
    problem = refused(Policy(allow_privileged=True), privileged=True, npus=1)
    assert (problem.code, problem.field) == (api.GUARD_PRIVILEGED, "npus")


def test_what_root_allows_is_given() -> None:
    policy = Policy(
        allow_privileged=True,
        allow_host_pid=True,
        allow_host_ipc=True,
        allowed_devices=("/dev/null",),
        allowed_capabilities=("CAP_SYS_PTRACE",),
    )
    spec = api.WorkloadSpec(
        "job", "img", "all", privileged=True, pid="host", ipc="host", devices=["/dev/null"], capabilities=["sys_ptrace"]
    )
    found = isolation.resolve(spec, policy)
    assert found.host_config() == {
        "Privileged": True, "PidMode": "host", "IpcMode": "host", "CapAdd": ["SYS_PTRACE"],
    }  # fmt: skip
    assert found.devices == ["/dev/null"]


def test_nothing_out_of_the_ordinary_is_nothing() -> None:
    found = isolation.resolve(api.WorkloadSpec("job", "img", 1), Policy())
    assert (found.told(), found.host_config()) == ({}, {"Privileged": False})


@pytest.mark.parametrize("path", ["/dev/davinci3", "/dev/davinci_manager", "//dev/./davinci0", "/dev/hisi_hdc"])
def test_npu_devices_come_only_from_the_agent(path: str) -> None:
    assert "npus" in refused(Policy(allowed_devices=(path, "/dev/davinci3")), devices=[path]).remedy


def test_a_link_does_not_name_what_the_policy_does_not(tmp_path: Path) -> None:
    (tmp_path / "fuse").symlink_to("/dev/zero")
    problem = refused(Policy(allowed_devices=("/dev/fuse",)), devices=[str(tmp_path / "fuse")])
    assert "really /dev/zero" in problem.detail


def test_a_device_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file")
    assert "is no device" in refused(Policy(allowed_devices=(path,)), devices=[path]).detail
