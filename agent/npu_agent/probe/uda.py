"""/proc/uda of newer drivers: which mount namespace has opened which NPU, and the process at that namespace's root.

The driver gives a device to one namespace at a time, so this names its holder where nothing else can. Root alone may
read the files; reading them opens no device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from npu_agent.probe import table

UDEVICE = "/proc/uda/udevice"
NAMESPACES = "/proc/uda/namespace_node"

_DEVICE = re.compile(r"udevid (\d{1,6})\b", re.ASCII)
_EXCLUSIVE = re.compile(r"has used by container, ns id (\d{1,9})", re.ASCII)
_SHARED = re.compile(r"shared dev used by ns id:((?: \d{1,9})*)", re.ASCII)
_SLICE = re.compile(r"mia para: phy_devid (\d{1,6}) sub_devid \d{1,6}", re.ASCII)
_NAMESPACE = re.compile(r"ns_id (\d{1,9}) identify [0-9a-f]+ root_tgid (\d{1,9}) dev_num .*", re.ASCII)


def parse_udevice(text: str) -> dict[int, tuple[int, ...]]:
    """Map each NPU to the ids of the namespaces that have it. A slice of an NPU counts for the NPU it is cut from."""
    found: dict[int, tuple[int, ...]] = {}
    for block in _blocks(text):
        npu, lines = block
        users: tuple[int, ...] = ()
        for line in lines:
            exclusive, shared, cut_from = _EXCLUSIVE.fullmatch(line), _SHARED.fullmatch(line), _SLICE.fullmatch(line)
            if exclusive:
                users += (int(exclusive.group(1)),)
            elif shared:
                users += tuple(int(word) for word in shared.group(1).split())
            elif cut_from:
                npu = int(cut_from.group(1))
        found[npu] = tuple(dict.fromkeys((*found.get(npu, ()), *users)))
    return found


def _blocks(text: str) -> list[tuple[int, list[str]]]:
    blocks: list[tuple[int, list[str]]] = []
    for line in table.plain(text):
        start = _DEVICE.match(line)
        if start:
            blocks.append((int(start.group(1)), []))
        elif blocks:
            blocks[-1][1].append(line)
    return blocks


def parse_namespaces(text: str) -> dict[int, int]:
    """Map each namespace to the process at its root; an id that is printed twice is nobody's."""
    found: dict[int, int] = {}
    doubled = set()
    for line in table.plain(text):
        match = _NAMESPACE.fullmatch(line)
        if match:
            namespace = int(match.group(1))
            doubled |= {namespace} & set(found)
            found[namespace] = int(match.group(2))
    return {namespace: tgid for namespace, tgid in found.items() if namespace not in doubled and tgid}


def roots(devices: Mapping[int, tuple[int, ...]], namespaces: Mapping[int, int]) -> dict[int, tuple[int, ...]]:
    """Map each NPU that is in use to the processes at the roots of its users' namespaces."""
    found = {npu: tuple(namespaces[user] for user in users if user in namespaces) for npu, users in devices.items()}
    return {npu: tgids for npu, tgids in found.items() if tgids}
