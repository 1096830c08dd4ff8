"""The operating systems a node can say it is; several of them share one image and differ in what they say."""

from __future__ import annotations

from dataclasses import dataclass

from npufleet_lab.files import FileSet


@dataclass(frozen=True)
class System:
    """`image` is the root file system that it is booted from; without a `release` it is that system itself."""

    image: str
    release: str = ""
    release_file: tuple[str, str] | None = None


_OPENEULER = """\
NAME="openEuler"
VERSION="22.03 (LTS-SP2)"
ID="openEuler"
VERSION_ID="22.03"
PRETTY_NAME="openEuler 22.03 (LTS-SP2)"
ANSI_COLOR="0;31"
"""
_EULEROS = """\
NAME="EulerOS"
VERSION="2.0 (SP10)"
ID="euleros"
VERSION_ID="2.0"
PRETTY_NAME="EulerOS 2.0 (SP10)"
ANSI_COLOR="0;31"
"""
_UBUNTU = """\
PRETTY_NAME="Ubuntu 22.04.5 LTS"
NAME="Ubuntu"
VERSION_ID="22.04"
VERSION="22.04.5 LTS (Jammy Jellyfish)"
VERSION_CODENAME=jammy
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME=jammy
"""
SYSTEMS = {
    "debian12": System("debian12"),
    "ubuntu22.04": System("debian12", _UBUNTU),
    "hce2": System("hce2"),
    "openeuler22.03": System("hce2", _OPENEULER, ("/etc/openEuler-release", "openEuler release 22.03 (LTS-SP2)\n")),
    "euleros2.10": System("hce2", _EULEROS, ("/etc/euleros-release", "EulerOS release 2.0 (SP10)\n")),
}
IMAGES = tuple(dict.fromkeys(system.image for system in SYSTEMS.values()))


def image_of(name: str) -> str:
    return SYSTEMS[name].image


def add(files: FileSet, name: str) -> None:
    """What makes the image say that it is this system."""
    system = SYSTEMS[name]
    if not system.release:
        return
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        files.add(path, system.release)
    if system.release_file:
        files.add(*system.release_file)
    _add_package_manager(files, name)


def _add_package_manager(files: FileSet, name: str) -> None:
    """The vendor's instructions for EulerOS say yum: this one answers to that name only."""
    if name == "euleros2.10":
        files.add_link("/usr/bin/yum", "dnf-3")
        # Not executable, so nobody finds a program here.
        files.add("/usr/bin/dnf", "This simulated node has yum and no dnf.\n")
