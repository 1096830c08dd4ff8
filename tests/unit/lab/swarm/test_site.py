from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from npufleet_lab.errors import LabError
from npufleet_lab.swarm import site


def test_every_node_has_an_address_of_its_own_on_loopback_and_no_door_for_ssh(tmp_path: Path) -> None:
    site.write(tmp_path / "swarm", 700, 17443)
    text = (tmp_path / "swarm/hosts.yml").read_text()
    assert text.startswith("# SIMULATED")
    nodes = yaml.safe_load(text)["npu_nodes"]
    addresses = [host["ansible_host"] for rack in nodes["children"].values() for host in rack["hosts"].values()]
    assert len(set(addresses)) == 700
    assert all(address.startswith("127.") for address in addresses)
    assert nodes["vars"]["ansible_port"] == 1
    assert "SIMULATED" in nodes["vars"]["fleet_notice"]


def test_the_playbook_gives_a_version(tmp_path: Path) -> None:
    site.write(tmp_path / "swarm", 1, 17443)
    play = yaml.safe_load((site.own(tmp_path / "swarm") / "playbook.yml").read_text())[0]
    give, read_back = play["tasks"]
    assert "printf '%s: {version: \"%s\"}\\n'" in give["ansible.builtin.shell"]
    assert (give["delegate_to"], give["run_once"]) == ("localhost", True)
    assert read_back["vars"]["file"] == f"{site.own(tmp_path / 'swarm')}/control/90-{{{{ inventory_hostname }}}}.yml"


def test_what_it_did_not_write_it_leaves_alone(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("mine: {}\n")
    with pytest.raises(LabError, match="not written by"):
        site.write(tmp_path, 1, 17443)
    site.remove(tmp_path)
    assert (tmp_path / "hosts.yml").exists()
