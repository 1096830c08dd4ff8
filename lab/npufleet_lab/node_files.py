"""Everything that makes one container one particular node: identity, boot units, driver tree, simulated tools."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npufleet_lab import driver_tree, systems
from npufleet_lab.files import FileSet
from npufleet_lab.keys import KeyPair
from npufleet_lab.node import state
from npufleet_lab.node_spec import NodeSpec

LIBRARY = "/usr/local/lib/npufleet-lab"
_NODE_CODE = Path(__file__).with_name("node")
_LAUNCHER = """\
#!/usr/bin/python3 -IS
import sys
sys.path.insert(0, "{library}")
from node.{module} import main
sys.exit(main())
"""
_BOOT_UNIT = f"""\
[Unit]
Description=npufleet lab: interfaces, devices and metadata address of this simulated node
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target sysinit.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={LIBRARY}/boot

[Install]
WantedBy=sysinit.target
"""
_METADATA_UNIT = f"""\
[Unit]
Description=npufleet lab: simulated metadata server
Requires=npufleet-lab-boot.service
After=npufleet-lab-boot.service

[Service]
ExecStart=/usr/sbin/ip netns exec meta {LIBRARY}/metadata
Restart=always

[Install]
WantedBy=multi-user.target
"""
# Without its boot unit a node is not closed off from the real metadata address: then nobody shall get in.
_SSH_DROP_IN = "[Unit]\nRequires=npufleet-lab-boot.service\nAfter=npufleet-lab-boot.service\n"
_LAUNCHERS = {
    f"{LIBRARY}/boot": "boot",
    f"{LIBRARY}/metadata": "metadata",
    f"{LIBRARY}/fault": "faults",
    driver_tree.HCCN_TOOL: "hccn",
}


@dataclass(frozen=True)
class NodeIdentity:
    """What differs between nodes of one lab besides their spec."""

    name: str
    management_address: str
    peer_address: str
    host_key: KeyPair
    authorized_key: str
    device_major: int


def tools(spec: NodeSpec) -> FileSet:
    """The simulated tools and the boot code; pushed again at every `up`: a running node follows the lab's code."""
    files = FileSet()
    files.add_tree(f"{LIBRARY}/node", _NODE_CODE, "*.py")
    for path, module in {**_LAUNCHERS, spec.npu_smi: "npu_smi"}.items():
        files.add(path, _LAUNCHER.format(library=LIBRARY, module=module), 0o755)
    return files


def everything(spec: NodeSpec, identity: NodeIdentity) -> FileSet:
    files = tools(spec)
    files.add("/etc/npufleet-lab/node.json", json.dumps(_node_document(spec, identity), indent=1), 0o600)
    initial = _initial_state(spec)
    files.add_directory("/var/lib/npufleet-lab")
    files.add(str(state.STATE_FILE), json.dumps(initial, indent=1))
    driver_tree.add(files, spec, initial)
    systems.add(files, spec.os)
    _add_units(files)
    _add_ssh(files, identity)
    return files


def _initial_state(spec: NodeSpec) -> dict[str, Any]:
    return {**state.initial(spec.chip, spec.driver, spec.number), "firmware": driver_tree.firmware_of(spec.driver)}


def _node_document(spec: NodeSpec, identity: NodeIdentity) -> dict[str, Any]:
    return {
        "name": identity.name,
        "number": spec.number,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, identity.host_key.public_line)),
        # A secret of this lab that tests look for where it must not be.
        "secret": hashlib.sha256(identity.host_key.private.read_bytes()).hexdigest()[:32],
        "interfaces": [
            {"name": spec.management_interface, "address": identity.management_address},
            {"name": spec.peer_interface, "address": identity.peer_address},
        ],
        "devices": [npu["npu"] for npu in _initial_state(spec)["npus"]],
        "device_major": identity.device_major,
    }


def _add_units(files: FileSet) -> None:
    system = "/etc/systemd/system"
    files.add(f"{system}/npufleet-lab-boot.service", _BOOT_UNIT)
    files.add(f"{system}/npufleet-lab-metadata.service", _METADATA_UNIT)
    files.add(f"{system}/ssh.service.d/lab.conf", _SSH_DROP_IN)
    files.add_link(f"{system}/sysinit.target.wants/npufleet-lab-boot.service", "../npufleet-lab-boot.service")
    files.add_link(
        f"{system}/multi-user.target.wants/npufleet-lab-metadata.service", "../npufleet-lab-metadata.service"
    )


def _add_ssh(files: FileSet, identity: NodeIdentity) -> None:
    files.add_directory("/root/.ssh", 0o700)
    files.add("/root/.ssh/authorized_keys", identity.authorized_key + "\n", 0o600)
    files.add("/etc/ssh/ssh_host_ed25519_key", identity.host_key.private.read_bytes(), 0o600)
    files.add("/etc/ssh/ssh_host_ed25519_key.pub", identity.host_key.public_line + "\n")
