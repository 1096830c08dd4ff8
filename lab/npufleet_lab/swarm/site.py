"""The inventory of a simulated fleet, in a folder of its own that is gone when the fleet is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from npufleet_lab.errors import LabError

RACK = 50
_HEADER = """\
# SIMULATED. Written by `npufleet lab swarm`, removed when it ends: changes made here are lost.
# These nodes do not exist. Only their agents' API answers, on loopback; there is no SSH, no container and no NPU.
# ansible_port is one where nothing listens, so that no playbook takes this machine for one of them.
"""
NOTICE = "SIMULATED: these nodes do not exist; npufleet lab swarm answers for them on this machine."
PLAYBOOK = """\
# Rehearses the change of a node: it becomes one with another agent version. Only the script of the simulation changes.
#   ansible-playbook -i {folder} {own}/playbook.yml -e version=0.2.0 --limit 'sim-000*'
- hosts: npu_nodes
  gather_facts: false
  become: false
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
    # A module a node would cost a thousand starts of Python, and the rehearsal is not about those.
    - name: Give the simulated nodes another agent version
      ansible.builtin.shell: |
        set -eu
        cd '{own}/control'
        for node in {{{{ ansible_play_batch | join(' ') }}}}; do
          printf '%s: {{version: "%s"}}\\n' "$node" {{{{ version | string | quote }}}} > ".90-$node.new"
          mv ".90-$node.new" "90-$node.yml"
        done
      delegate_to: localhost
      run_once: true

    - name: Read it back for every node
      ansible.builtin.assert:
        that: (lookup('ansible.builtin.file', file) | from_yaml)[inventory_hostname].version == version | string
        quiet: true
      vars:
        file: "{own}/control/90-{{{{ inventory_hostname }}}}.yml"
"""


def name_of(index: int) -> str:
    return f"sim-{index:04d}"


def address_of(index: int) -> str:
    """Addresses of loopback that nobody else uses, in the order of the numbers."""
    return f"127.{16 + (index >> 16)}.{index >> 8 & 255}.{index & 255}"


def document(count: int, port: int) -> dict[str, Any]:
    racks: dict[str, Any] = {}
    for index in range(1, count + 1):
        rack = racks.setdefault(f"rack_{(index - 1) // RACK + 1:02d}", {"hosts": {}})
        rack["hosts"][name_of(index)] = {"ansible_host": address_of(index)}
    variables = {"agent_port": port, "ansible_port": 1, "fleet_notice": NOTICE}
    return {"npu_nodes": {"children": racks, "vars": variables}}


def own(folder: Path) -> Path:
    """The simulation's own things: in a folder where Ansible looks for no inventory."""
    return folder / "runs" / "simulation"


def write(folder: Path, count: int, port: int) -> None:
    path = folder / "hosts.yml"
    if path.is_file() and not path.read_text(encoding="utf-8").startswith(_HEADER):
        raise LabError(f"{path} was not written by `npufleet lab swarm`.", "Give the fleet another name with --name.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    text = PLAYBOOK.format(folder=folder, own=own(folder))
    own(folder).mkdir(parents=True, exist_ok=True)
    (own(folder) / "playbook.yml").write_text(text, encoding="utf-8")
    path.write_text(_HEADER + yaml.safe_dump(document(count, port), sort_keys=False), encoding="utf-8")


def remove(folder: Path) -> None:
    path = folder / "hosts.yml"
    if path.is_file() and path.read_text(encoding="utf-8").startswith(_HEADER):
        shutil.rmtree(folder)
