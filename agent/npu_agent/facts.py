"""What the node is made of, read from files: device nodes, driver, versions, and what the roles wrote down."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from npu_agent.probe import hccn, host
from npu_agent.probe.host import PciDevice

_SBIN_AND_BIN = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
_HCCN_TOOL = ("/usr/local/bin/hccn_tool", "/usr/bin/hccn_tool")
_DRIVER_DIR = "/usr/local/Ascend/driver"
_DEVICE = re.compile(r"davinci(\d{1,4})")
_PCI_DEVICES = "/sys/bus/pci/devices"
_HUAWEI = "0x19e5"
_ACCELERATOR = "0x1200"
READ_LIMIT = 64 * 1024


@dataclass(frozen=True)
class NodePaths:
    """Where things lie. `root` is the folder that stands for / (another one only in tests)."""

    root: str = "/"
    facts_dir: str = "/etc/npufleet/facts.d"

    def at(self, path: str) -> Path:
        return Path(self.root, path.lstrip("/"))

    def read(self, path: str) -> Optional[str]:
        """Return a file's text, None where it cannot be read."""
        try:
            with self.at(path).open(encoding="utf-8", errors="replace") as stream:
                return stream.read(READ_LIMIT)
        except OSError:
            return None

    def read_json(self, path: str) -> Optional[dict[str, Any]]:
        try:
            found = json.loads(self.read(path) or "null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True)
class Facts:
    """None means that the node does not tell."""

    boot_id: Optional[str] = None
    npu_smi: Optional[str] = None
    hccn_tool: Optional[str] = None
    driver_dir: Optional[str] = None
    driver_version: Optional[str] = None
    firmware_version: Optional[str] = None
    driver: Mapping[str, str] = field(default_factory=dict)
    install: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[int, ...] = ()
    recorded_devices: tuple[int, ...] = ()
    pci: tuple[PciDevice, ...] = ()
    nic: Optional[Mapping[str, Any]] = None
    guard: Optional[Mapping[str, Any]] = None
    hccn_addresses: Mapping[int, str] = field(default_factory=dict)  # as /etc/hccn.conf says

    def public(self) -> dict[str, Any]:
        """Return what /v1/node shows."""
        return {
            "boot_id": self.boot_id,
            "npu_smi": self.npu_smi,
            "driver_dir": self.driver_dir,
            "driver_version": self.driver_version,
            "firmware_version": self.firmware_version,
            "devices": list(self.devices),
            "nic": dict(self.nic) if self.nic else None,
            "guard": dict(self.guard) if self.guard else None,
        }


def read_facts(paths: NodePaths, npu_smi: Optional[str] = None) -> Facts:
    """Read everything anew: a handful of small local files."""
    recorded = paths.read_json(f"{paths.facts_dir}/driver.json") or {}
    driver_dir = _text(recorded.get("driver_dir")) or _folder(paths, _DRIVER_DIR)
    driver = _properties(paths, _text(recorded.get("version_info")) or f"{driver_dir or _DRIVER_DIR}/version.info")
    install = _properties(paths, _text(recorded.get("install_info")) or "/etc/ascend_install.info")
    firmware = _properties(paths, f"{Path(driver_dir or _DRIVER_DIR).parent}/firmware/version.info")
    return Facts(
        boot_id=(paths.read("/proc/sys/kernel/random/boot_id") or "").strip() or None,
        npu_smi=find_npu_smi(paths, npu_smi, _text(recorded.get("npu_smi"))),
        hccn_tool=find_hccn_tool(paths, driver_dir, _text(recorded.get("hccn_tool"))),
        driver_dir=driver_dir,
        driver_version=driver.get("Version") or _text(recorded.get("driver_version")),
        firmware_version=firmware.get("Version") or _text(recorded.get("firmware_version")),
        driver=driver,
        install=install,
        devices=device_ids(paths),
        recorded_devices=_numbers(recorded.get("davinci")),
        pci=accelerators(paths),
        nic=paths.read_json(f"{paths.facts_dir}/nic.json"),
        guard=paths.read_json(f"{paths.facts_dir}/guard.json"),
        hccn_addresses=_hccn_addresses(paths.read("/etc/hccn.conf") or ""),
    )


def find_npu_smi(paths: NodePaths, *wanted: Optional[str]) -> Optional[str]:
    """Find the tool: what was asked for, or sbin before bin. A mount gone wrong leaves a folder of that name."""
    return _first_file(paths, [*wanted, *(f"{folder}/npu-smi" for folder in _SBIN_AND_BIN)])


def find_hccn_tool(paths: NodePaths, driver_dir: Optional[str], *wanted: Optional[str]) -> Optional[str]:
    """Find hccn_tool, which the driver keeps among its own tools."""
    return _first_file(paths, [*wanted, f"{driver_dir or _DRIVER_DIR}/tools/hccn_tool", *_HCCN_TOOL])


def _first_file(paths: NodePaths, candidates: Sequence[Optional[str]]) -> Optional[str]:
    found = next((path for path in candidates if path and paths.at(path).is_file()), None)
    return str(paths.at(found)) if found else None


def device_ids(paths: NodePaths) -> tuple[int, ...]:
    """List N of every /dev/davinciN, without opening one."""
    try:
        names = [entry.name for entry in paths.at("/dev").iterdir()]
    except OSError:
        return ()
    return tuple(sorted(int(match.group(1)) for match in map(_DEVICE.fullmatch, names) if match))


def accelerators(paths: NodePaths) -> tuple[PciDevice, ...]:
    """List the vendor's accelerators on the PCIe bus; one that is dead reads as nothing but ones."""
    try:
        folders = sorted(paths.at(_PCI_DEVICES).iterdir())
    except OSError:
        return ()
    return tuple(_pci_device(folder) for folder in folders if _is_accelerator(folder))


def _is_accelerator(folder: Path) -> bool:
    """A virtual function (it names its physical one) is a slice of an NPU, not one more."""
    if (folder / "physfn").exists():
        return False
    return _word(folder / "vendor") == _HUAWEI and _word(folder / "class").startswith(_ACCELERATOR)


def _pci_device(folder: Path) -> PciDevice:
    try:
        dead = (folder / "config").read_bytes()[:4] == b"\xff" * 4
    except OSError:
        dead = False
    return PciDevice(folder.name.upper(), _word(folder / "device").removeprefix("0x"), dead)


def _hccn_addresses(text: str) -> dict[int, str]:
    return {npu: found.address for npu, found in hccn.parse_hccn_conf(text).items() if found.address}


def _word(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _properties(paths: NodePaths, path: str) -> dict[str, str]:
    return host.parse_properties(paths.read(path) or "")


def _folder(paths: NodePaths, path: str) -> Optional[str]:
    return path if paths.at(path).is_dir() else None


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) and value else None


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(sorted(item for item in value if type(item) is int)) if isinstance(value, list) else ()
