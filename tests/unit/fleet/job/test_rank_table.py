from __future__ import annotations

import json

import pytest

from npufleet.errors import JobError
from npufleet.job import rank_table
from npufleet.job.rank_table import Member


def a3(node: str, host: str, pod: str | None = "0") -> Member:
    return Member(node, [0, 1], host, {0: "192.168.1.6", 1: "192.168.1.7"}, "Ascend910", pod, {0: "0", 1: "65537"})


def test_a_table_for_a3_has_the_documented_form() -> None:
    """As in the vendor's guide to HCCL for super pods; ports and backup addresses are optional there."""
    table = json.loads(rank_table.build("auto", [a3("n1", "172.16.0.100"), a3("n2", "172.16.0.101", "1")]))
    assert table == {
        "status": "completed",
        "version": "1.2",
        "server_count": "2",
        "server_list": [
            {
                "server_id": node,
                "host_ip": host,
                "device": [
                    {"device_id": "0", "super_device_id": "0", "device_ip": "192.168.1.6", "rank_id": str(first)},
                    {
                        "device_id": "1",
                        "super_device_id": "65537",
                        "device_ip": "192.168.1.7",
                        "rank_id": str(first + 1),
                    },
                ],
            }
            for node, host, first in (("n1", "172.16.0.100", 0), ("n2", "172.16.0.101", 2))
        ],
        "super_pod_list": [
            {"super_pod_id": "0", "server_list": [{"server_id": "n1"}]},
            {"super_pod_id": "1", "server_list": [{"server_id": "n2"}]},
        ],
    }


@pytest.mark.parametrize(
    ("chip", "version"),
    [
        ("Ascend910", "1.2"), ("910_9392", "1.2"), ("Ascend910_9362", "1.2"), ("910C", "1.2"),
        ("910B3", "1.0"), ("910B", "1.0"), ("910A", "1.0"), ("910ProB", "1.0"), ("310P3", "1.0"), (None, "1.0"),
    ],
)  # fmt: skip
def test_the_version_follows_the_chip_as_npu_smi_names_it(chip: str | None, version: str) -> None:
    assert rank_table.version_for("auto", [Member("n1", [0], "10.0.0.1", {}, chip)]) == version


def test_what_is_not_known_is_said_with_what_to_do() -> None:
    with pytest.raises(JobError) as caught:
        rank_table.build("1.0", [Member("n1", [3], "10.0.0.1")])
    assert (caught.value.failure.code, caught.value.failure.node) == ("device-ip-unknown", "n1")
    assert "try again" in caught.value.failure.remedy
    with pytest.raises(JobError) as caught:
        rank_table.build("auto", [a3("n1", "10.0.0.1", None)])
    assert (caught.value.failure.code, caught.value.failure.node) == ("super-pod-unknown", "n1")
