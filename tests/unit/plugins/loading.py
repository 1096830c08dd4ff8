"""Loads a plugin the way Ansible does: by its path, without a package around it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import ansible.module_utils

PLUGINS = Path(__file__).resolve().parents[3] / "playbooks/plugins"

# ansible.cfg does this for the modules of a playbook.
if str(PLUGINS / "module_utils") not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(str(PLUGINS / "module_utils"))


def load(path: str) -> Any:
    """The module at a path below playbooks/plugins."""
    name = "plugins_" + path.removesuffix(".py").replace("/", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, PLUGINS / path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]
