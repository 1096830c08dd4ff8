"""The variables that the roles take, as their argument specs declare them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Inputs:
    roles: tuple[str, ...]
    types: Mapping[str, str]


def read(roles: Path) -> Inputs:
    types: dict[str, str] = {}
    names = []
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        names.append(path.parent.parent.name)
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for entry in document.get("argument_specs", {}).values():
            for name, option in (entry.get("options") or {}).items():
                types[str(name)] = str(option.get("type", "str"))
    # The longest first: preflight_report_x belongs to preflight_report where there is such a role.
    return Inputs(tuple(sorted(names, key=len, reverse=True)), types)
