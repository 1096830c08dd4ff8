from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npufleet.errors import InventoryError, UsageError
from npufleet.inventory import Inventory, cause_of, parse

SOURCE = Path("inventory/test")


def listing(hosts: dict[str, dict[str, Any]], **groups: Any) -> dict[str, Any]:
    return {"_meta": {"hostvars": hosts}, "all": {}, "npu_nodes": {"hosts": list(hosts)}, **groups}


def test_addresses_and_ports_with_their_defaults() -> None:
    inventory = parse(
        listing(
            {
                "lab-1": {},
                "lab-2": {"ansible_host": "192.0.2.2", "ansible_user": "root", "ansible_port": 2222},
                "lab-3": {"ansible_host": "192.0.2.3", "agent_address": "198.51.100.3", "agent_port": "8443"},
                "lab-4": {"ansible_host": "2001:db8::4"},
            }
        ),
        SOURCE,
    )
    assert [node.url for node in inventory.nodes] == [
        "https://lab-1:7443", "https://192.0.2.2:7443", "https://198.51.100.3:8443", "https://[2001:db8::4]:7443",
    ]  # fmt: skip
    assert (inventory.nodes[1].ssh.host, inventory.nodes[1].ssh.user, inventory.nodes[1].ssh.port) == (
        "192.0.2.2", "root", 2222,
    )  # fmt: skip
    assert inventory.nodes[2].ssh.host == "192.0.2.3"


def test_groups_below_npu_nodes_count_once_each() -> None:
    hosts: dict[str, Any] = {"a": {}, "b": {}, "c": {}}
    document = {
        "_meta": {"hostvars": hosts},
        "npu_nodes": {"children": ["row1", "row2"]},
        "row1": {"hosts": ["a", "b"]},
        "row2": {"hosts": ["b", "c"]},
    }
    inventory = parse(document, SOURCE)
    assert inventory.names == ("a", "b", "c")
    assert inventory.nodes[1].groups == ("npu_nodes", "row1", "row2")


def test_other_hosts_are_none_of_ours() -> None:
    document = listing({"lab-1": {}}, bastion={"hosts": ["jump"]})
    assert parse(document, SOURCE).names == ("lab-1",)


def test_missing_group_names_those_that_are_there() -> None:
    with pytest.raises(InventoryError, match="has no group npu_nodes, only gpus") as caught:
        parse({"_meta": {"hostvars": {}}, "all": {}, "gpus": {"hosts": ["x"]}}, SOURCE)
    assert caught.value.failure.code == "group-missing"


def test_empty_group() -> None:
    with pytest.raises(InventoryError) as caught:
        parse(listing({}), SOURCE)
    assert caught.value.failure.code == "group-empty"


def test_unknown_node_gets_a_suggestion() -> None:
    inventory: Inventory = parse(listing({"lab-1": {}, "lab-2": {}}), SOURCE)
    with pytest.raises(UsageError, match=r"no node lab1 .* Did you mean lab-1") as caught:
        inventory.node("lab1")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("port", ["70000", "abc", 0, None])
def test_port_that_is_none(port: object) -> None:
    with pytest.raises(InventoryError, match="agent_port of node lab-1"):
        parse(listing({"lab-1": {"agent_port": port}}), SOURCE)


def test_template_in_an_address_is_refused_and_explained() -> None:
    with pytest.raises(InventoryError, match="only a running playbook"):
        parse(listing({"lab-1": {"ansible_host": "{{ inventory_hostname }}.example"}}), SOURCE)


def test_cause_is_the_first_sentence_that_helps() -> None:
    stderr = """[WARNING]: Failed to parse inventory with 'auto' plugin: YAML parsing failed: did not find expected ','.
Origin: /x/hosts.yml:5:1
[ERROR]: Completely failed to parse inventory source /x/hosts.yml
"""
    assert cause_of(stderr) == "did not find expected ',' (/x/hosts.yml:5)."
    assert cause_of("[ERROR]: No such thing.") == "No such thing."
    assert cause_of("") == "it gave no reason."
