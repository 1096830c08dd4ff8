"""Writes the Ansible inventory of a running lab: the one file that tells playbooks and CLI where the nodes are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from npufleet_lab import busybox, nodes
from npufleet_lab.config import LabConfig
from npufleet_lab.errors import LabError
from npufleet_lab.node.chips import FAMILIES
from npufleet_lab.nodes import Node
from npufleet_lab.packages import DEB_PATH, RPM_PATH

_HEADER = "# Written by `npufleet lab up`, removed by `npufleet lab down`: changes made here are lost.\n"
_REPOSITORY_PATH = {"debian12": DEB_PATH, "hce2": RPM_PATH}


def document(config: LabConfig, found: list[Node], repository: str, image_archive: Path) -> dict[str, Any]:
    known_hosts = config.state_dir / "ssh" / "known_hosts"
    variables = {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(nodes.user_key(config).private),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={known_hosts} -o StrictHostKeyChecking=yes",
        # The machine's clock is the nodes' clock, and who keeps it there is no fault of theirs.
        "agent_health_rules": {"clock": {"unsynchronised": "healthy"}},
        # Nodes have the machine's own clock, which no service of theirs may set.
        "preflight_severities": {"time-service": "off"},
        "images_archives": [{"name": busybox.IMAGE_NAME, "archive": str(image_archive)}],
    }
    hosts = {node.name: _host(node, repository) for node in found}
    return {"npu_nodes": {"hosts": hosts, "vars": variables}}


def _host(node: Node, repository: str) -> dict[str, Any]:
    return {
        "ansible_host": node.management_address,
        "preflight_expected_npus": FAMILIES[node.spec.chip].npu_count(),
        "nic_env_address": node.peer_address,
        "docker_repository_url": f"http://{repository}/{_REPOSITORY_PATH[node.spec.image]}",
    }


def write(config: LabConfig, found: list[Node], repository: str, image_archive: Path) -> Path:
    folder = config.inventory_dir
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "hosts.yml"
    if path.is_file() and not _is_ours(path):
        raise LabError(f"{path} was not written by the lab.", "Give the lab another name with NPUFLEET_LAB_NAME.")
    content = _HEADER + yaml.safe_dump(document(config, found, repository, image_archive), sort_keys=False, width=200)
    # A running playbook reads this file at any moment: leave it alone when nothing changed.
    if not path.is_file() or path.read_text() != content:
        path.write_text(content)
    # The folder is no part of the checkout, whatever the lab is called.
    (folder / ".gitignore").write_text("*\n")
    _write_known_hosts(config, found)
    return path


def _write_known_hosts(config: LabConfig, found: list[Node]) -> None:
    lines = []
    for node in found:
        algorithm, key, *_ = nodes.host_key(config, node.name).public_line.split()
        lines.append(f"{node.management_address},{node.name} {algorithm} {key}")
    (config.state_dir / "ssh" / "known_hosts").write_text("\n".join(lines) + "\n")


def remove(config: LabConfig) -> None:
    """The whole folder: keys and certificates in it belong to nodes that are gone."""
    if _is_ours(config.inventory_dir / "hosts.yml"):
        shutil.rmtree(config.inventory_dir)


def _is_ours(path: Path) -> bool:
    return path.is_file() and path.read_text().startswith(_HEADER)
