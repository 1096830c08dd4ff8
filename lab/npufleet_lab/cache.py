"""What the lab built and keeps: it forgets what nothing uses any more, and everything on request."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import APIError

from npufleet_lab.config import LABEL, ROLE_LABEL, SPEC_LABEL, LabConfig

if TYPE_CHECKING:
    from docker import DockerClient


def prune(client: DockerClient, config: LabConfig, keep: Iterable[Path]) -> None:
    """Remove images and packages of earlier versions of the lab, as far as no lab runs on them."""
    wanted = set(keep) | _served(client)
    for folder in config.cache_dir.glob("packages-*"):
        if folder not in wanted:
            shutil.rmtree(folder)
    for image in client.images.list(filters={"label": f"{ROLE_LABEL}=image"}):
        folders = {config.cache_dir / folder_name(tag) for tag in image.tags}
        if not folders & wanted and _removed(client, str(image.id)):
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)


def purge(client: DockerClient | None, config: LabConfig) -> None:
    """Forget everything; only when no lab is left that runs on it."""
    if client is not None:
        prune(client, config, keep=())
    shutil.rmtree(config.cache_dir, ignore_errors=True)


def folder_name(tag: str) -> str:
    """npufleet-lab/node-hce2:0123 keeps its files in image-hce2-0123."""
    name, _, key = tag.rpartition(":")
    return f"image-{name.partition('/node-')[2]}-{key}"


def _served(client: DockerClient) -> set[Path]:
    """Package folders that a repository server of any lab shows."""
    servers = client.containers.list(all=True, filters={"label": [LABEL, f"{ROLE_LABEL}=repo"]})
    return {Path(server.labels[SPEC_LABEL]).parent for server in servers}


def _removed(client: DockerClient, image: str) -> bool:
    try:
        client.images.remove(image)
    except APIError:  # a container still uses it
        return False
    return True
