"""What the lab serves to its nodes, which have no uplink: package repositories and a test image."""

from __future__ import annotations

import hashlib
import inspect
import shutil
from dataclasses import dataclass
from pathlib import Path

from npufleet_lab import busybox, deb_repository, rpm_repository
from npufleet_lab.config import LabConfig
from npufleet_lab.image import NodeImage
from npufleet_lab.progress import Progress

DEB_PATH = "deb"
RPM_PATH = "rpm"


@dataclass(frozen=True)
class Served:
    """`folder` is what the repository server shows at its root; `image_archive` is for the control side."""

    folder: Path
    image_archive: Path


def ensure(config: LabConfig, images: dict[str, NodeImage], progress: Progress) -> Served:
    folder = config.cache_dir / f"packages-{_key(images)}"
    served = Served(folder / "www", folder / "npufleet-lab-busybox.tar")
    if (folder / "complete").is_file():
        return served
    shutil.rmtree(folder, ignore_errors=True)
    with progress.step("collect the packages that the lab serves to its nodes", "20-60 s"):
        deb_repository.build(served.folder / DEB_PATH, images["debian12"].status)
        rpm_repository.build(served.folder / RPM_PATH, images["hce2"].status, folder / "work")
        busybox.build(served.image_archive, folder / "work")
    (folder / "complete").touch()
    return served


def _key(images: dict[str, NodeImage]) -> str:
    """Everything that decides what is served: the node images, and the code that makes it."""
    recipes = [inspect.getsource(module) for module in (deb_repository, rpm_repository, busybox)]
    parts = [image.tag for _, image in sorted(images.items())] + recipes
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
