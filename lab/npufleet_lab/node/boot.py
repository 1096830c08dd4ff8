"""Makes the container a DevServer: interfaces with odd names, NPU devices, and a metadata server of its own.

Runs before anything on the node can use the network. The real metadata address answers on real clouds, so the first
thing done here is to make it unreachable, and the last is to prove that the node's own server answers for it.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

from . import pci, state
from .run import CommandError, run

NODE_FILE = Path("/etc/npufleet-lab/node.json")
METADATA_ADDRESS = "169.254.169.254"
# The link-local one of OpenStack, and one that is routed, as other clouds have.
METADATA_ADDRESSES6 = ("fe80::a9fe:a9fe", "fd00:ec2::254")
_NODE_ADDRESS, _NODE_ADDRESS6 = "169.254.169.1", "fd00:ec2::1"
VETH = "vmeta"
NAMESPACE = "meta"
MANAGERS = ("davinci_manager", "devmm_svm", "hisi_hdc")
_WORLD_WRITABLE = ("devmm_svm", "hisi_hdc")
_FIRST_MANAGER_MINOR = 200


class BootError(Exception):
    """The node must not come up: it would not be the closed place that tests rely on."""


def ip(*arguments: str) -> str:
    return run("ip", *arguments)


def close_metadata_address() -> None:
    """From here on nothing sent to the link-local range can leave the node."""
    ip("route", "replace", "blackhole", "169.254.0.0/16")


def rename_interfaces(interfaces: list[dict[str, str]]) -> None:
    """The engine hands out eth0, eth1 in any order: the address says which is which."""
    for wanted in interfaces:
        current = _interface_with(wanted["address"])
        if current == wanted["name"]:
            continue
        ip("link", "set", current, "down")
        ip("link", "set", current, "name", wanted["name"])
        ip("link", "set", wanted["name"], "up")


def _interface_with(address: str) -> str:
    for link in json.loads(ip("-j", "-4", "addr", "show")):
        if any(info.get("local") == address for info in link["addr_info"]):
            return str(link["ifname"])
    raise BootError(f"no interface of this node has the address {address}")


def make_metadata_namespace() -> None:
    """A network namespace that owns the metadata address, reachable over one veth pair and from nowhere else."""
    if NAMESPACE not in ip("netns", "list").split():
        ip("netns", "add", NAMESPACE)
        ip("link", "add", VETH, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
        ip("addr", "add", f"{_NODE_ADDRESS}/30", "dev", VETH)
        ip("-n", NAMESPACE, "addr", "add", f"{METADATA_ADDRESS}/16", "dev", "eth0")
    ip("link", "set", VETH, "up")
    ip("-n", NAMESPACE, "link", "set", "lo", "up")
    ip("-n", NAMESPACE, "link", "set", "eth0", "up")
    # Answers find containers whose addresses nobody translates, too.
    ip("-n", NAMESPACE, "route", "replace", "default", "via", _NODE_ADDRESS, "dev", "eth0")
    ip("route", "replace", f"{METADATA_ADDRESS}/32", "dev", VETH)


def add_ipv6() -> None:
    """The service's addresses of the other family; an engine without IPv6 switches that off on its interfaces."""
    if not Path("/proc/sys/net/ipv6").is_dir():
        return
    switch = "echo 0 > /proc/sys/net/ipv6/conf/%s/disable_ipv6"
    for interface in ("lo", VETH):
        run("sh", "-c", switch % interface)
    run("ip", "netns", "exec", NAMESPACE, "sh", "-c", switch % "eth0")
    ip("-6", "addr", "replace", f"{_NODE_ADDRESS6}/64", "dev", VETH, "nodad")
    for address in METADATA_ADDRESSES6:
        ip("-n", NAMESPACE, "-6", "addr", "replace", f"{address}/64", "dev", "eth0", "nodad")
    ip("-n", NAMESPACE, "-6", "route", "replace", "default", "via", _NODE_ADDRESS6, "dev", "eth0")


def assert_metadata_is_local() -> None:
    route = json.loads(ip("-j", "route", "get", METADATA_ADDRESS))[0]
    if route.get("dev") != VETH:
        raise BootError(f"the way to {METADATA_ADDRESS} leads through {route.get('dev')}, not {VETH}: refusing to boot")


def make_devices(npus: list[int], major: int) -> None:
    """Real character devices, owned as the driver owns them; no driver of this kernel answers for the number."""
    for npu in npus:
        _make_device(f"davinci{npu}", major, npu)
    for offset, name in enumerate(MANAGERS):
        _make_device(name, major, _FIRST_MANAGER_MINOR + offset)


def _make_device(name: str, major: int, minor: int) -> None:
    path = Path("/dev") / name
    if not path.exists():
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(major, minor))
    owner = pwd.getpwnam("HwHiAiUser")
    shutil.chown(path, owner.pw_uid, owner.pw_gid)
    path.chmod(0o666 if name in _WORLD_WRITABLE else 0o660)


def reconnected(current: state.State) -> state.State:
    """A cut ends with the boot, for the engine made the interfaces anew; all other faults stay."""
    healed = {**current, "faults": {**current["faults"], "cut": False}}
    state.write(healed)
    return healed


def main() -> int:
    node: dict[str, Any] = json.loads(NODE_FILE.read_text())
    try:
        close_metadata_address()
        rename_interfaces(node["interfaces"])
        make_metadata_namespace()
        add_ipv6()
        assert_metadata_is_local()
        make_devices(node["devices"], node["device_major"])
        pci.cover()
        pci.sync(reconnected(state.read()))
    except (BootError, CommandError, OSError, LookupError) as error:
        print(f"npufleet lab: boot failed: {error}", file=sys.stderr)
        return 1
    return 0
