from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from npu_agent import api, spec
from npu_agent.config import Policy
from npu_agent.nodefacts import NodeFacts
from npu_agent.problem import ProblemError
from unit.agent import bench

NPUS = [4, 5, 6, 7]
FILES = Path("/var/lib/npufleet/files")


@pytest.fixture
def facts(tmp_path: Path) -> NodeFacts:
    return bench.prepared(tmp_path)


def plan(facts: NodeFacts, npus: list[int] = NPUS, policy: Policy | None = None, **changes: Any) -> spec.Plan:
    wanted = spec.parse("job", bench.spec(**changes))
    return spec.resolve(
        wanted,
        npus,
        node="n1",
        sha256="abc",
        facts=facts,
        policy=policy or Policy(),
        folder=FILES,
    )


def test_a_name_that_differs_from_the_address_is_refused() -> None:
    with pytest.raises(ProblemError) as caught:
        spec.parse("other", bench.spec())
    assert caught.value.problem.field == "name"


def test_the_digest_is_the_contents_not_the_order() -> None:
    assert spec.digest({"a": 1, "b": [2]}) == spec.digest({"b": [2], "a": 1})
    assert spec.digest({"a": 1}) != spec.digest({"a": 2})


def test_exactly_the_devices_and_their_managers(facts: NodeFacts) -> None:
    devices = plan(facts).body["HostConfig"]["Devices"]
    assert [device["PathOnHost"] for device in devices] == [
        "/dev/davinci4", "/dev/davinci5", "/dev/davinci6", "/dev/davinci7",
        "/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc",
    ]  # fmt: skip
    assert {device["CgroupPermissions"] for device in devices} == {"rwm"}


def test_numbers_are_consistent_for_a_container_that_gets_4_to_7(facts: NodeFacts) -> None:
    env = plan(facts).resolved.env
    assert env["ASCEND_VISIBLE_DEVICES"] == "4,5,6,7"
    assert env["ASCEND_GLOBAL_VISIBLE_DEVICES"] == "4,5,6,7"
    assert env["ASCEND_RT_VISIBLE_DEVICES"] == "0,1,2,3"


def test_driver_and_tools_are_mounted_where_they_exist_and_only_once(facts: NodeFacts, tmp_path: Path) -> None:
    mounts = plan(facts).body["HostConfig"]["Mounts"]
    assert {mount["Source"] for mount in mounts} == {
        str(tmp_path / name) for name in ("driver", "npu-smi", "hccn.conf", "install.info")
    }
    assert all(mount["Source"] == mount["Target"] and mount["ReadOnly"] for mount in mounts)


def test_train_is_the_manuals_container(facts: NodeFacts) -> None:
    large = dataclasses.replace(facts, cpus=192, memory_bytes=1536 << 30)
    made = plan(large, list(range(8)), profile="train")
    host = made.body["HostConfig"]
    assert (host["NetworkMode"], host["NanoCpus"]) == ("host", 192 * 10**9)
    assert (host["Memory"], host["ShmSize"]) == (1000 << 30, 200 << 30)
    assert host["Privileged"] is False
    assert made.notes == []


def test_aigc_is_the_manuals_container(facts: NodeFacts) -> None:
    large = dataclasses.replace(facts, memory_bytes=1536 << 30)
    host = plan(large, profile="aigc").body["HostConfig"]
    assert (host["NetworkMode"], host["ShmSize"], host["SecurityOpt"]) == ("bridge", 60 << 30, ["seccomp=unconfined"])
    cgroup = next(mount for mount in host["Mounts"] if mount["Target"] == "/sys/fs/cgroup")
    assert cgroup["ReadOnly"] is True


@pytest.mark.parametrize("name", sorted(path.stem for path in spec.PROFILES.glob("*.yaml")))
def test_every_profile_makes_a_container(facts: NodeFacts, name: str) -> None:
    assert plan(facts, profile=name).resolved.network in {"bridge", "host"}


def test_the_nodes_interface_is_told_where_it_can_be_seen(facts: NodeFacts) -> None:
    assert plan(facts, network="host").resolved.env["GLOO_SOCKET_IFNAME"] == "enp67s0f5"
    assert "GLOO_SOCKET_IFNAME" not in plan(facts, network="bridge").resolved.env
    assert plan(facts, network="host", env={"GLOO_SOCKET_IFNAME": "x"}).resolved.env["GLOO_SOCKET_IFNAME"] == "x"


def test_a_missing_interface_is_noted(facts: NodeFacts) -> None:
    made = plan(dataclasses.replace(facts, nic=None), network="host")
    assert "nic_env" in made.notes[-1]


def test_labels_name_workload_node_npus_and_spec(facts: NodeFacts) -> None:
    assert plan(facts, labels={"team": "a"}).body["Labels"] == {
        "team": "a",
        api.LABEL_WORKLOAD: "job",
        api.LABEL_NODE: "n1",
        api.LABEL_NPUS: "4,5,6,7",
        api.LABEL_SPEC: "abc",
    }


def test_the_guards_cgroup_parent_is_used(facts: NodeFacts) -> None:
    assert plan(facts).body["HostConfig"]["CgroupParent"] == "npufleet.slice"
    plain = dataclasses.replace(facts, guard={"cgroup_parent": None, "host_network_guarded": True})
    assert "CgroupParent" not in plan(plain).body["HostConfig"]


@pytest.mark.parametrize("restart", ["no", "on-failure", {"policy": "always", "budget": 3}])
def test_the_agent_restarts_and_not_the_engine(facts: NodeFacts, restart: Any) -> None:
    made = plan(facts, restart=restart)
    assert made.body["HostConfig"]["RestartPolicy"] == {"Name": "no"}
    assert made.resolved.restart["policy"] == (restart if isinstance(restart, str) else "always")


@pytest.mark.parametrize(
    ("profile", "has", "npus", "notes"),
    [
        ("train", 8, "all", []),
        ("aigc-lora", 8, 1, []),
        ("aigc-finetune", 8, 8, []),
        ("aigc-finetune", 4, 4, ["profile aigc-finetune asks 8 NPUs; this node gives all its 4"]),
    ],
)
def test_a_profile_has_a_number_of_npus(profile: str, has: int, npus: Any, notes: list[str]) -> None:
    wanted = spec.parse("job", {"name": "job", "image": "img:1", "profile": profile})
    assert spec.npus_asked(wanted, has) == (npus, notes)


def test_a_number_in_the_spec_counts_more_than_the_profiles() -> None:
    wanted = spec.parse("job", bench.spec(profile="aigc-finetune", npus=[2]))
    assert spec.npus_asked(wanted, 8) == ([2], [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"npus": None}, "npus"),
        ({"probe": {"kind": "http"}}, "probe.port"),
        ({"probe": {"kind": "tcp"}}, "probe.port"),
        ({"probe": {"kind": "exit-code"}}, "probe.command"),
        ({"probe": {"kind": "smoke"}}, "probe.kind"),
        ({"probe": {"kind": "tcp", "port": 80, "action": "restart"}}, "probe.action"),
        ({"restart": {"backoff_s": 3}}, "restart"),
    ],
)
def test_keys_that_need_others_are_named(changes: dict[str, Any], field: str) -> None:
    document = {key: value for key, value in bench.spec(**changes).items() if value is not None}
    with pytest.raises(ProblemError) as caught:
        spec.parse("job", document)
    assert (caught.value.problem.code, caught.value.problem.field) == (api.CODE_INVALID_SPEC, field)


def test_a_privileged_container_counts_npus_as_the_node_does(facts: NodeFacts) -> None:
    wanted = spec.parse("job", bench.spec(npus="all", privileged=True))
    policy = Policy(allow_privileged=True)
    made = spec.resolve(wanted, [0, 1, 3], node="n1", sha256="abc", facts=facts, policy=policy, folder=FILES)
    assert made.body["HostConfig"]["Privileged"] is True
    assert made.resolved.env["ASCEND_RT_VISIBLE_DEVICES"] == "0,1,3"
    assert made.resolved.isolation == {"privileged": True}


def test_command_workdir_and_grace(facts: NodeFacts) -> None:
    body = plan(facts, command=["sh", "-c", "x"], workdir="/ws", stop_grace_s=7).body
    assert (body["Cmd"], body["WorkingDir"], body["StopTimeout"]) == (["sh", "-c", "x"], "/ws", 7)
    assert "Cmd" not in plan(facts).body


def test_own_mounts_come_after_the_drivers_with_real_paths(facts: NodeFacts, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    policy = Policy(mount_roots=(str(tmp_path / "data"),))
    mounts = [{"source": str(tmp_path / "x" / ".." / "data"), "target": "/ws", "read_only": True}]
    assert plan(facts, policy=policy, mounts=mounts).body["HostConfig"]["Mounts"][-1] == {
        "Type": "bind", "Source": str(tmp_path / "data"), "Target": "/ws", "ReadOnly": True,
    }  # fmt: skip
    with pytest.raises(ProblemError) as caught:
        plan(facts, policy=policy, mounts=mounts * 2)
    assert caught.value.problem.field == "mounts.1.target"


def test_the_fleet_side_knows_the_profiles_numbers() -> None:
    told = {path.stem: spec.profile(path.stem).get("npus") for path in spec.PROFILES.glob("*.yaml")}
    assert {name: npus for name, npus in told.items() if npus is not None} == api.PROFILE_NPUS
