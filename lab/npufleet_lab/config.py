"""Where a lab keeps its things and what its objects are called."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from npufleet_lab.errors import LabError

LABEL = "io.npufleet.lab"  # its value is the lab's name; nothing without it is ever touched
ROLE_LABEL = "io.npufleet.lab.role"  # node | repo | network | image
SPEC_LABEL = "io.npufleet.lab.spec"  # a node's NodeSpec as JSON: the engine is the only store of what runs
_NAME = re.compile(r"^[a-z][a-z0-9-]{0,15}$")


@dataclass(frozen=True)
class LabConfig:
    """`home` is shared by all labs of the machine (engine, caches); the rest belongs to the lab called `name`."""

    home: Path
    name: str
    checkout: Path

    @classmethod
    def from_environment(cls) -> LabConfig:
        name = os.environ.get("NPUFLEET_LAB_NAME", "lab")
        if not _NAME.match(name):
            raise LabError(
                f"NPUFLEET_LAB_NAME is {name!r}, which cannot name containers and networks.",
                "Use a letter and up to 15 lower-case letters, digits or dashes.",
            )
        home = Path(os.environ.get("NPUFLEET_LAB_HOME", "/var/lib/npufleet-lab"))
        return cls(home=home.absolute(), name=name, checkout=_find_checkout())

    @property
    def engine_dir(self) -> Path:
        return self.home / "engine"

    @property
    def cache_dir(self) -> Path:
        return self.home / "cache"

    @property
    def state_dir(self) -> Path:
        return self.home / "labs" / self.name

    @property
    def inventory_dir(self) -> Path:
        return self.checkout / "inventory" / self.name

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.name}

    def filter_by_role(self, role: str) -> dict[str, str | list[str] | bool]:
        """What the engine's listings take to find this lab's objects of one role, and nobody else's."""
        return {"label": [f"{LABEL}={self.name}", f"{ROLE_LABEL}={role}"]}

    def object_name(self, suffix: str) -> str:
        return f"npufleet-{self.name}-{suffix}"


def _find_checkout() -> Path:
    """The repository this package is installed from, or the current folder when it is a plain install."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "ansible.cfg").is_file() or (folder / "site.yml").is_file():
            return folder
    return Path.cwd()
