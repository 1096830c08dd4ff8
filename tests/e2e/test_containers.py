"""An NPU container is exactly what was asked for, and its NPUs are its own."""

from __future__ import annotations

import pytest

from support.nodes import Node, wait_until
from support.workloads import IMAGE, SLEEP, kill_agent, start


def test_container_sees_exactly_its_devices(clean: Node) -> None:
    start(clean, "pair", [2, 5])
    inside = clean.in_container("npufleet-pair", "ls /dev").stdout.split()
    assert sorted(n for n in inside if n.startswith("davinci")) == ["davinci2", "davinci5", "davinci_manager"]
    assert {"devmm_svm", "hisi_hdc"} <= set(inside)
    devices = clean.containers()["npufleet-pair"]["HostConfig"]["Devices"]
    assert {d["PathOnHost"] for d in devices} == {
        "/dev/davinci2",
        "/dev/davinci5",
        "/dev/davinci_manager",
        "/dev/devmm_svm",
        "/dev/hisi_hdc",
    }
    assert clean.containers()["npufleet-pair"]["HostConfig"]["Privileged"] is False


def test_driver_and_npu_smi_are_mounted_together(clean: Node) -> None:
    start(clean, "mounts", 1)
    mounted = clean.in_container("npufleet-mounts", "cat /proc/mounts").stdout
    npu_smi = clean.run("command -v npu-smi").strip()
    assert f" {npu_smi} " in mounted
    assert " /usr/local/Ascend/driver " in mounted


def test_device_numbers_are_consistent_for_npus_that_do_not_start_at_zero(clean: Node) -> None:
    start(clean, "high", [4, 5, 6, 7], network="host")
    environment = dict(
        line.split("=", 1) for line in clean.in_container("npufleet-high", "env").stdout.splitlines() if "=" in line
    )
    assert environment["ASCEND_VISIBLE_DEVICES"] == "4,5,6,7"
    assert environment["ASCEND_RT_VISIBLE_DEVICES"] == "0,1,2,3"
    assert environment["ASCEND_GLOBAL_VISIBLE_DEVICES"] == "4,5,6,7"
    assert environment["HCCL_SOCKET_IFNAME"].startswith("enp")


def test_a_second_container_on_the_same_npu_is_refused_by_name(clean: Node) -> None:
    start(clean, "first", [3])
    refused = clean.put_workload("second", image=IMAGE, npus=[3], command=SLEEP)
    assert refused.status_code == 409, refused.text
    assert refused.headers["content-type"].startswith("application/problem+json")
    problem = refused.json()
    assert problem["code"] == "npu-held"
    assert problem["holder"]["name"] == "first"
    assert problem["remedy"]
    assert "npufleet-second" not in clean.containers()
    clean.remove_workload("first")
    assert clean.put_workload("second", image=IMAGE, npus=[3], command=SLEEP).status_code == 201


def test_an_npu_that_a_foreign_container_has_is_not_given_out(clean: Node) -> None:
    clean.run(f"docker run -d --name stranger --device /dev/davinci6 {IMAGE} sleep 86400")
    try:

        def refused() -> bool:
            answer = clean.put_workload("late", image=IMAGE, npus=[6], command=SLEEP)
            if answer.status_code == 201:
                clean.remove_workload("late")
            return answer.status_code == 409 and answer.json()["holder"]["name"] == "stranger"

        assert refused(), "the holder is looked up when the container is asked for, not only in the last cycle"
        holder = wait_until("holder shown", 20, lambda: clean.get("/v1/npus")["npus"][6]["holder"])
        assert (holder["kind"], holder["name"]) == ("container", "stranger")
    finally:
        clean.run("docker rm -f stranger")
    wait_until("npu 6 free again", 20, lambda: clean.get("/v1/npus")["npus"][6]["holder"] is None)


def test_the_same_request_twice_is_one_container(clean: Node) -> None:
    before = start(clean, "twice", 1)
    again = clean.put_workload("twice", image=IMAGE, npus=1, command=SLEEP)
    assert again.status_code == 200, again.text
    assert again.json()["container_id"] == before["container_id"]
    other = clean.put_workload("twice", image=IMAGE, npus=2, command=SLEEP)
    assert other.status_code == 409
    assert other.json()["code"] == "workload-exists"


def test_delete_frees_the_npu_only_with_the_container(clean: Node) -> None:
    assert clean.put_workload("brief", image=IMAGE, npus=[0], command=SLEEP).status_code == 201
    assert clean.get("/v1/npus")["npus"][0]["holder"]["name"] == "brief"
    assert [lease["npu"] for lease in clean.get("/v1/leases")["leases"]] == [0]
    clean.remove_workload("brief")
    assert clean.get("/v1/npus")["npus"][0]["holder"] is None, "what was removed is shown at once, not a cycle later"
    assert "npufleet-brief" not in clean.containers()
    assert clean.get("/v1/leases")["leases"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mounts": [{"source": "/home", "target": "/home/ma-user"}]}, "guard-home"),
        ({"mounts": [{"source": "/etc", "target": "/host-etc"}]}, "guard-mount"),
        ({"resources": {"shm": "1m"}}, "guard-shm"),
        ({"resources": {"memory": "100000g"}}, "guard-resources"),
        ({"npus": [99]}, "npu-not-found"),
        ({"pivileged": True}, "invalid-spec"),
    ],
)
def test_what_the_manual_warns_of_is_refused(clean: Node, change: dict[str, object], code: str) -> None:
    answer = clean.put_workload("bad", **{"image": IMAGE, "npus": 1, "command": SLEEP, **change})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"] == code, answer.text
    assert "npufleet-bad" not in clean.containers()
    assert clean.get("/v1/leases")["leases"] == []


def test_containers_outlive_the_agent(clean: Node) -> None:
    start(clean, "steady", [1])
    before = clean.containers()["npufleet-steady"]["State"]
    kill_agent(clean)
    after = clean.containers()["npufleet-steady"]["State"]
    assert (after["Pid"], after["StartedAt"]) == (before["Pid"], before["StartedAt"])
    assert clean.get("/v1/workloads/steady")["state"] == "running"
    assert clean.put_workload("other", image=IMAGE, npus=[1], command=SLEEP).json()["holder"]["name"] == "steady"


def test_logs_are_what_the_container_printed(clean: Node) -> None:
    start(clean, "talks", 1)
    clean.remove_workload("talks")
    answer = clean.put_workload("talks", image=IMAGE, npus=1, command=["sh", "-c", "echo one; echo two; sleep 600"])
    assert answer.status_code == 201
    wait_until("log lines", 20, lambda: clean.api("GET", "/v1/workloads/talks/logs").text == "one\ntwo\n")
    assert clean.api("GET", "/v1/workloads/talks/logs", params={"tail": 1}).text == "two\n"
