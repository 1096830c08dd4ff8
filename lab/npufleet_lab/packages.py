"""What the lab serves to its nodes, which have no uplink: package repositories and a test image."""

from __future__ import annotations

import hashlib
import inspect
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npufleet_lab import busybox, deb_repository, rpm_repository
from npufleet_lab.config import LabConfig
from npufleet_lab.image import NodeImage
from npufleet_lab.progress import Progress

DEB_PATH = "deb"
RPM_PATH = "rpm"
_WHAT = {
    "busybox": ("pack the test image", ""),
    "debian12": ("collect the packages that the lab serves to apt", "10-30 s"),
    "hce2": ("collect the packages that the lab serves to dnf", "10-40 s"),
}


@dataclass(frozen=True)
class Served:
    """`folder` is what the repository server shows at its root; `image_archive` is for the control side."""

    folder: Path
    image_archive: Path


def ensure(config: LabConfig, planned: dict[str, NodeImage], wanted: Sequence[str], progress: Progress) -> Served:
    """Collect what nodes of the `wanted` images install; `planned` are all images, which share one folder."""
    folder = config.cache_dir / f"packages-{_key(planned)}"
    served = Served(folder / "www", folder / "npufleet-lab-busybox.tar")
    for part in ("busybox", *wanted):
        marker = folder / f"complete-{part}"
        if not marker.is_file():
            with progress.step(*_WHAT[part]):
                _build(part, served, planned)
            marker.touch()
    return served


def _build(part: str, served: Served, planned: dict[str, NodeImage]) -> None:
    """One part, anew: an earlier attempt may have left half of it."""
    work = served.folder.parent / f"work-{part}"
    target = served.folder / {"debian12": DEB_PATH, "hce2": RPM_PATH}.get(part, "")
    shutil.rmtree(work, ignore_errors=True)
    served.folder.mkdir(parents=True, exist_ok=True)
    if part == "busybox":
        busybox.build(served.image_archive, work)
        return
    shutil.rmtree(target, ignore_errors=True)
    if part == "debian12":
        deb_repository.build(target, planned[part].status)
    else:
        rpm_repository.build(target, planned[part].status, work)


def _key(images: dict[str, NodeImage]) -> str:
    """Everything that decides what is served: the node images, and the code that makes it."""
    recipes = [inspect.getsource(module) for module in (deb_repository, rpm_repository, busybox)]
    parts = [image.tag for _, image in sorted(images.items())] + recipes
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
