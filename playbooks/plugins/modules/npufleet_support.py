#!/usr/bin/python
"""Ansible module: read what a support ticket wants to know about a node, with its secrets taken out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: npufleet_support
short_description: Gather logs and facts for a support ticket
description:
  - Returns logs, settings and facts of a node as texts. What looks like a secret is taken out on the node.
    Changes nothing.
options:
  peers:
    description: Addresses of other nodes; the kernel is asked for the route to each.
    type: list
    elements: str
    default: []
  npu_smi_timeout:
    description: Seconds that one call of npu-smi may take.
    type: int
    default: 30
author: npufleet
"""

EXAMPLES = r"""
- name: Gather
  npufleet_support:
  register: gathered
"""

RETURN = r"""
texts:
  description: Texts by file name.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  # the documentation comes first by convention
from ansible.module_utils.npufleet import support  # noqa: E402  # likewise


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "peers": {"type": "list", "elements": "str", "default": []},
            "npu_smi_timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    texts = support.gather(module.params["peers"], module.params["npu_smi_timeout"])
    module.exit_json(changed=False, texts=texts)


if __name__ == "__main__":
    main()
