#!/usr/bin/python
"""Ansible module: read everything that the roles need to know about a node, in one go."""

from __future__ import annotations

DOCUMENTATION = r"""
module: npufleet_node_facts
short_description: Read a node once
description:
  - Returns what npufleet's roles need to know about a node as one dictionary. Changes nothing.
options:
  subset:
    description: Which parts to read; the others stay as they are in O(keep).
    type: list
    elements: str
    choices: [system, network, docker, npu, files, storage, host]
    default: [system, network, docker, npu, files, storage, host]
  keep:
    description: The fact as it was read before.
    type: dict
    default: {}
  peers:
    description: Addresses of other nodes; the kernel is asked for the route to each.
    type: list
    elements: str
    default: []
  storage:
    description: Mount points, folders and file system types to look at, in the keys C(points), C(folders), C(types).
    type: dict
    default: {}
  watched:
    description: Further files to describe.
    type: list
    elements: path
    default: []
  certificates:
    description: Further certificates to read.
    type: list
    elements: path
    default: []
  npu_smi_timeout:
    description: Seconds that one call of npu-smi may take.
    type: int
    default: 30
author: npufleet
"""

EXAMPLES = r"""
- name: Read the node
  npufleet_node_facts:
    peers: [10.0.0.2]
"""

RETURN = r"""
node:
  description: The keys system, network, docker, npu, holders, host, files, found, certificates and storage.
  returned: always
  type: dict
"""

from typing import Any  # noqa: E402  # the documentation comes first by convention

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  # the documentation comes first by convention
from ansible.module_utils.npufleet import (  # noqa: E402  # likewise
    engine,
    files,
    holders,
    host,
    network,
    npu,
    storage,
    system,
)

SUBSETS = ["system", "network", "docker", "npu", "files", "storage", "host"]


def gather(parameters: dict[str, Any]) -> dict[str, Any]:
    facts = dict(parameters["keep"])
    wanted = parameters["subset"]
    if "system" in wanted:
        facts["system"] = system.gather()
    if "network" in wanted:
        facts["network"] = network.gather(parameters["peers"])
    if "docker" in wanted:
        facts["docker"] = engine.gather()
    if "npu" in wanted:
        facts["npu"] = npu.gather(parameters["npu_smi_timeout"])
    if "files" in wanted:
        facts.update(files.gather(parameters["watched"], parameters["certificates"]))
    if "storage" in wanted:
        asked = parameters["storage"]
        facts["storage"] = storage.gather(*(asked.get(key) or [] for key in ("points", "folders", "types")))
    if "host" in wanted:
        facts["host"] = host.gather()
    if "docker" in facts and "npu" in facts and set(wanted) & {"docker", "npu"}:
        facts["holders"] = holders.gather(facts["docker"], facts["npu"])
    return facts


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "subset": {"type": "list", "elements": "str", "choices": SUBSETS, "default": SUBSETS},
            "keep": {"type": "dict", "default": {}},
            "peers": {"type": "list", "elements": "str", "default": []},
            "storage": {"type": "dict", "default": {}},
            "watched": {"type": "list", "elements": "path", "default": []},
            "certificates": {"type": "list", "elements": "path", "default": []},
            "npu_smi_timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, node=gather(module.params))


if __name__ == "__main__":
    main()
