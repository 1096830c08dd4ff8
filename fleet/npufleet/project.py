"""Where things are: the checkout with the playbooks, the inventory, and what commands write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from npufleet.errors import ProjectError, UsageError

# Beside the inventory lie the fleet's keys and run records: Ansible must not take them for more inventory.
KEEP_TO_INVENTORY = {"ANSIBLE_INVENTORY_IGNORE_REGEX": "^(pki|runs)$"}


@dataclass(frozen=True)
class Project:
    """A checkout: the folder that holds site.yml and ansible.cfg."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "ansible.cfg"

    @property
    def runs(self) -> Path:
        return self.root / "build" / "runs"

    def ansible_environment(self) -> dict[str, str]:
        """Make Ansible read this checkout's configuration from whatever folder the command was given."""
        return {"ANSIBLE_CONFIG": str(self.config), **KEEP_TO_INVENTORY}


def find_project(environ: Mapping[str, str] = os.environ, start: Path | None = None) -> Project:
    """Look at NPUFLEET_HOME, then at the current folder and those above it, then beside this program."""
    if home := environ.get("NPUFLEET_HOME"):
        return _project_at(Path(home))
    here = start or Path.cwd()
    for folder in (here, *here.parents, *Path(__file__).resolve().parents):
        if _is_checkout(folder):
            return Project(folder)
    raise ProjectError(
        "The npufleet checkout (the folder with site.yml and ansible.cfg) was not found.",
        remedy="Change into it, or set NPUFLEET_HOME to its path.",
    )


def ansible_environment(environ: Mapping[str, str] = os.environ, start: Path | None = None) -> dict[str, str]:
    """The same for reading an inventory, which can be done without a checkout."""
    try:
        return find_project(environ, start).ansible_environment()
    except ProjectError:
        return dict(KEEP_TO_INVENTORY)


def _project_at(folder: Path) -> Project:
    if _is_checkout(folder):
        return Project(folder.resolve())
    raise ProjectError(
        f"NPUFLEET_HOME says {folder}, but no site.yml and ansible.cfg are there.",
        remedy="Set NPUFLEET_HOME to the npufleet checkout, or unset it.",
    )


def _is_checkout(folder: Path) -> bool:
    return (folder / "site.yml").is_file() and (folder / "ansible.cfg").is_file()


def find_inventory(given: Path | None, environ: Mapping[str, str] = os.environ, start: Path | None = None) -> Path:
    """The path after -i, else NPUFLEET_INVENTORY, else the lab's inventory where the lab has written one."""
    if given is not None:
        return _existing(given, "-i")
    if named := environ.get("NPUFLEET_INVENTORY"):
        return _existing(Path(named), "NPUFLEET_INVENTORY")
    lab = find_project(environ, start).root / "inventory" / "lab"
    if lab.is_dir():
        return lab
    raise UsageError(
        "No inventory was named, and there is no lab.",
        code="inventory-missing",
        remedy="Give one with -i inventory/SITE or NPUFLEET_INVENTORY, or boot a lab: npufleet lab up.",
    )


def _existing(path: Path, said_by: str) -> Path:
    if path.exists():
        return path.resolve()
    raise UsageError(
        f"The inventory {path} that {said_by} names does not exist.",
        code="inventory-missing",
        remedy="Give the path of a folder such as inventory/lab, or of an inventory file.",
    )


def inventory_folder(inventory: Path) -> Path:
    """The folder whose pki/ holds this site's keys."""
    return inventory if inventory.is_dir() else inventory.parent
