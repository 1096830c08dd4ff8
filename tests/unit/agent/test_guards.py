from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import Any

import pytest

from npu_agent import api, guards
from npu_agent.config import Policy
from npu_agent.nodefacts import NodeFacts
from npu_agent.problem import ProblemError
from unit.agent.bench import prepared


def code(action: Any) -> str:
    with pytest.raises(ProblemError) as caught:
        action()
    problem = caught.value.problem
    assert problem.status == 422
    assert problem.detail
    assert problem.remedy
    return problem.code


def mount(source: Path, target: str, roots: list[Path]) -> api.Mount:
    policy = Policy(mount_roots=tuple(str(root) for root in roots))
    return guards.resolve_mount(
        api.Mount(str(source), target), policy, field="mounts.0", own_targets=["/usr/local/Ascend/driver"]
    )


@pytest.mark.parametrize("target", ["/home/ma-user", "/home/ma-user/", "/home", "//home//ma-user", "/", "/home/x/.."])
def test_the_users_home_is_never_hidden(tmp_path: Path, target: str) -> None:
    assert code(lambda: mount(tmp_path, target, [tmp_path])) == api.GUARD_HOME


def test_a_folder_in_the_users_home_is_fine(tmp_path: Path) -> None:
    assert mount(tmp_path, "/home/ma-user/ws", [tmp_path]).target == "/home/ma-user/ws"


@pytest.mark.parametrize("target", ["/usr/local/Ascend/driver", "/usr/local", "/usr/local/Ascend/driver/lib64"])
def test_the_driver_is_mounted_by_the_agent_alone(tmp_path: Path, target: str) -> None:
    assert code(lambda: mount(tmp_path, target, [tmp_path])) == api.GUARD_DRIVER


@pytest.mark.parametrize("target", ["/proc", "/sys/fs/cgroup", "/dev/shm"])
def test_system_targets_are_refused(tmp_path: Path, target: str) -> None:
    assert code(lambda: mount(tmp_path, target, [tmp_path])) == api.GUARD_MOUNT


def test_mounts_stay_under_the_allowed_roots(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "data2"
    data.mkdir()
    other.mkdir()
    assert mount(data, "/ws", [data]).source == str(data)
    assert code(lambda: mount(other, "/ws", [data])) == api.GUARD_MOUNT
    assert code(lambda: mount(data / ".." / "data2", "/ws", [data])) == api.GUARD_MOUNT
    (data / "link").symlink_to(other)
    assert code(lambda: mount(data / "link", "/ws", [data])) == api.GUARD_MOUNT


def test_a_root_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    assert mount(tmp_path / "data", "/ws", [tmp_path / "data"]).source == str(tmp_path / "disk")


def test_a_source_must_exist(tmp_path: Path) -> None:
    assert code(lambda: mount(tmp_path / "none", "/ws", [tmp_path])) == api.GUARD_MOUNT


@pytest.mark.parametrize("source", ["/", "/proc/self", "/etc/npufleet", "/var/lib"])
def test_the_system_is_never_mounted_whatever_the_policy_says(source: str) -> None:
    assert code(lambda: mount(Path(source), "/ws", [Path("/")])) == api.GUARD_MOUNT


@pytest.mark.parametrize("source", ["/var/run/docker.sock", "/run/docker.sock", "/run", "/var/run", "/run/containerd"])
def test_the_engines_socket_is_never_mounted_whatever_the_policy_says(source: str) -> None:
    assert code(lambda: mount(Path(source), "/ws", [Path("/")])) == api.GUARD_DOCKER_SOCKET


def test_no_socket_of_the_host_is_mounted_under_any_name(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "proxy"))
    (tmp_path / "link").symlink_to(tmp_path / "proxy")
    assert code(lambda: mount(tmp_path / "link", "/ws", [tmp_path])) == api.GUARD_DOCKER_SOCKET
    listener.close()


@pytest.mark.parametrize(("image", "allowed"), [("reg/ours/a:1", True), ("reg/theirs/a:1", False), ("ours", False)])
def test_images_match_the_policy(image: str, allowed: bool) -> None:
    policy = Policy(allowed_images=("reg/ours/*",))
    if allowed:
        guards.check_image(image, policy)
    else:
        assert code(lambda: guards.check_image(image, policy)) == api.GUARD_IMAGE


@pytest.mark.parametrize("key", guards.RESERVED_ENV)
def test_device_numbers_are_the_agents(key: str) -> None:
    assert code(lambda: guards.check_env({key: "0"})) == api.GUARD_ENV


def test_our_labels_are_ours() -> None:
    guards.check_labels({"team": "a"})
    assert code(lambda: guards.check_labels({api.LABEL_WORKLOAD: "x"})) == api.GUARD_LABEL


@pytest.mark.parametrize("guard", [None, {}, {"host_network_guarded": False}, {"host_network_guarded": "true"}])
def test_the_host_network_needs_a_known_metadata_guard(guard: Any) -> None:
    assert code(lambda: guards.check_network("host", Policy(), NodeFacts(guard=guard))) == api.GUARD_METADATA
    guards.check_network("bridge", Policy(), NodeFacts(guard=guard))


def test_the_policy_may_forbid_the_host_network() -> None:
    facts = NodeFacts(guard={"host_network_guarded": True})
    guards.check_network("host", Policy(), facts)
    assert code(lambda: guards.check_network("host", Policy(allow_host_network=False), facts)) == api.GUARD_HOST_NETWORK


@pytest.mark.parametrize("missing", ["driver_dir", "npu_smi"])
def test_driver_and_npu_smi_go_together(tmp_path: Path, missing: str) -> None:
    facts = prepared(tmp_path)
    guards.check_driver(facts)
    assert facts.driver is not None
    less = dataclasses.replace(facts, driver={**facts.driver, missing: None})
    assert code(lambda: guards.check_driver(less)) == api.GUARD_DRIVER
    assert code(lambda: guards.check_driver(NodeFacts())) == api.GUARD_DRIVER


def test_shared_memory_has_a_floor() -> None:
    guards.check_shm_floor(1 << 30, Policy())
    assert code(lambda: guards.check_shm_floor((1 << 30) - 1, Policy())) == api.GUARD_SHM
