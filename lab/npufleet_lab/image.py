"""The root file systems of the simulated nodes, built from Debian packages and kept as images in the engine."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import ImageNotFound

from npufleet_lab import apt, cache
from npufleet_lab.config import LABEL, ROLE_LABEL, LabConfig
from npufleet_lab.image_edit import finish_debian12, finish_hce2
from npufleet_lab.progress import Progress
from npufleet_lab.run import run

if TYPE_CHECKING:
    from docker import DockerClient

# What every DevServer carries, and what makes a container boot like a machine.
_COMMON = (
    "systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,python3,iproute2,iptables,kmod,procps,"
    "ca-certificates,sudo,curl,pciutils,openssl,netbase,netcat-openbsd,less"
)
_EXTRA = {"debian12": "python3-apt", "hce2": "dnf,python3-dnf,rpm"}
_FINISH = {"debian12": finish_debian12, "hce2": finish_hce2}
_BOOTSTRAP_TIMEOUT_S = 900
BUILD_PROGRAMS = {"mmdebstrap": "mmdebstrap", "dpkg-deb": "dpkg"}


@dataclass(frozen=True)
class NodeImage:
    """`tag` names the image in the engine; `status` is its dpkg status, which says what packages it lacks."""

    os: str
    tag: str
    folder: Path

    @property
    def status(self) -> Path:
        return self.folder / "dpkg-status"


def planned(config: LabConfig, name: str) -> NodeImage:
    """The image this machine would build now: its key covers everything that goes into it."""
    recipe = Path(__file__).with_name("image_edit.py").read_text()
    key = hashlib.sha256("\n".join([name, _COMMON, _EXTRA[name], recipe, apt.sources_fingerprint()]).encode())
    short = key.hexdigest()[:12]
    tag = f"npufleet-lab/node-{name}:{short}"
    return NodeImage(name, tag, config.cache_dir / cache.folder_name(tag))


def exists(client: DockerClient, image: NodeImage) -> bool:
    if not image.status.is_file():
        return False
    try:
        client.images.get(image.tag)
    except ImageNotFound:
        return False
    return True


def ensure(client: DockerClient, config: LabConfig, name: str, progress: Progress) -> NodeImage:
    image = planned(config, name)
    if not exists(client, image):
        with progress.step(f"build the {name} node image", "30-90 s"):
            _build(client, image)
    return image


def _build(client: DockerClient, image: NodeImage) -> None:
    shutil.rmtree(image.folder, ignore_errors=True)
    image.folder.mkdir(parents=True)
    root = image.folder / "root"
    _bootstrap(image, root)
    shutil.copy(root / "var/lib/dpkg/status", image.folder / "status.new")
    _FINISH[image.os](root)
    archive = image.folder / "root.tar"
    run(["tar", "--numeric-owner", "--xattrs", "-C", str(root), "-cf", str(archive), "."], timeout_s=300)
    shutil.rmtree(root)
    _import(client, image, archive)
    archive.unlink()
    # Last: the status file is what says that the image is whole.
    (image.folder / "status.new").rename(image.status)


def _bootstrap(image: NodeImage, root: Path) -> None:
    options = apt.write_options(image.folder / "apt.conf")
    argv = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", "--quiet"]
    argv += [f"--aptopt={options}", f"--include={_COMMON},{_EXTRA[image.os]}"]
    try:
        run([*argv, apt.SUITE, str(root), apt.debian_source().line()], timeout_s=_BOOTSTRAP_TIMEOUT_S)
    finally:
        options.unlink(missing_ok=True)


def _import(client: DockerClient, image: NodeImage, archive: Path) -> None:
    repository, tag = image.tag.rsplit(":", 1)
    changes = [f"LABEL {LABEL}=shared", f"LABEL {ROLE_LABEL}=image"]
    client.api.import_image(src=str(archive), repository=repository, tag=tag, changes=changes)
