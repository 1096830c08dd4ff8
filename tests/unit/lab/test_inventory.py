"""The inventory that the lab writes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from npufleet_lab import inventory
from npufleet_lab.config import LabConfig
from npufleet_lab.errors import LabError
from npufleet_lab.node_spec import assign
from npufleet_lab.nodes import Node


@pytest.fixture
def config(tmp_path: Path) -> LabConfig:
    (tmp_path / "home/labs/lab/ssh").mkdir(parents=True)
    return LabConfig(home=tmp_path / "home", name="lab", checkout=tmp_path / "checkout")


@pytest.fixture
def nodes() -> list[Node]:
    specs = assign([1, 2], ["debian12", "hce2"], ["910B3", "A3"], ["24.1.0"])
    container: Any = SimpleNamespace(status="running")
    return [
        Node(spec, f"lab-{spec.number}", container, f"10.1.0.{spec.number}", f"10.2.0.{spec.number}") for spec in specs
    ]


def test_hosts_carry_what_the_roles_ask_for(config: LabConfig, nodes: list[Node]) -> None:
    path = inventory.write(config, nodes, "10.1.0.5", Path("/cache/busybox.tar"))
    group = yaml.safe_load(path.read_text())["npu_nodes"]
    assert group["hosts"]["lab-2"] == {
        "ansible_host": "10.1.0.2",
        "preflight_expected_npus": 16,
        "nic_env_address": "10.2.0.2",
        "docker_repository_url": "http://10.1.0.5/rpm",
    }
    assert group["hosts"]["lab-1"]["docker_repository_url"] == "http://10.1.0.5/deb"
    assert group["vars"]["images_archives"] == [{"name": "npufleet-lab/busybox:1", "archive": "/cache/busybox.tar"}]
    assert "StrictHostKeyChecking=yes" in group["vars"]["ansible_ssh_common_args"]


def test_known_hosts_name_every_node(config: LabConfig, nodes: list[Node]) -> None:
    inventory.write(config, nodes, "10.1.0.5", Path("/cache/busybox.tar"))
    lines = (config.state_dir / "ssh/known_hosts").read_text().splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["10.1.0.1,lab-1", "ssh-ed25519"],
        ["10.1.0.2,lab-2", "ssh-ed25519"],
    ]


def test_writing_again_does_not_touch_the_file(config: LabConfig, nodes: list[Node]) -> None:
    path = inventory.write(config, nodes, "10.1.0.5", Path("/cache/busybox.tar"))
    path.chmod(0o400)
    stamp = path.stat().st_mtime_ns
    inventory.write(config, nodes, "10.1.0.5", Path("/cache/busybox.tar"))
    assert path.stat().st_mtime_ns == stamp


def test_an_inventory_that_a_person_wrote_is_left_alone(config: LabConfig, nodes: list[Node]) -> None:
    own = config.inventory_dir / "hosts.yml"
    own.parent.mkdir(parents=True)
    own.write_text("npu_nodes: {}\n")
    with pytest.raises(LabError, match="was not written by the lab"):
        inventory.write(config, nodes, "10.1.0.5", Path("/cache/busybox.tar"))
    inventory.remove(config)
    assert own.read_text() == "npu_nodes: {}\n"


def test_removing_takes_the_whole_folder(config: LabConfig, nodes: list[Node]) -> None:
    path = inventory.write(config, nodes, "10.1.0.5", Path("/cache/busybox.tar"))
    (path.parent / "pki").mkdir()
    inventory.remove(config)
    assert not path.parent.exists()
