"""The accelerators' place on the PCI bus, as files: the real lspci and everything else that reads sysfs finds them."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from .run import run
from .state import State, family, visible

DEVICES = Path("/sys/bus/pci/devices")
_VENDOR = 0x19E5
_CLASS = 0x120000  # processing accelerator
_REVISION = 0x20
_CONFIG_BYTES = 64
_NO_RESOURCES = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n" * 7


def cover(devices: Path = DEVICES) -> None:
    """Put an empty folder of the node's own over the machine's list: a node shows its own hardware only."""
    if not devices.is_mount():
        run("mount", "-t", "tmpfs", "-o", "mode=755", "lab-pci", str(devices))


def sync(state: State, devices: Path = DEVICES) -> None:
    """One entry per function that is still on the bus; two chips of a card may share one."""
    wanted = {npu["bus_id"].lower() for npu in visible(state)}
    for path in devices.iterdir():
        if path.name not in wanted:
            shutil.rmtree(path)
    for address in sorted(wanted):
        _add(devices / address, int(family(state).pci_device, 16))


def _add(folder: Path, device: int) -> None:
    folder.mkdir(exist_ok=True)
    header = struct.pack("<HHHHBBH", _VENDOR, device, 0, 0, _REVISION, _CLASS & 0xFF, _CLASS >> 8)
    files = {
        "vendor": f"0x{_VENDOR:04x}\n",
        "device": f"0x{device:04x}\n",
        "class": f"0x{_CLASS:06x}\n",
        "revision": f"0x{_REVISION:02x}\n",
        "subsystem_vendor": "0x0200\n",
        "subsystem_device": "0x0100\n",
        "irq": "0\n",
        "resource": _NO_RESOURCES,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "config").write_bytes(header.ljust(_CONFIG_BYTES, b"\0"))
