"""Heavy depends on light: which part may import which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.repo import ROOT, imported_modules, python_files, tracked_files

# The one door to other programs in each part, and the tools that are run by hand.
SUBPROCESS_DOORS = {
    Path("agent/build.py"),
    Path("agent/npu_agent/run.py"),
    Path("fleet/npufleet/run.py"),
    Path("lab/npufleet_lab/run.py"),
    Path("lab/npufleet_lab/node/run.py"),  # runs on the simulated node, where the rest of the lab is not
}
LAB_DOOR_IN_FLEET = Path("fleet/npufleet/commands/lab.py")


def test_fleet_imports_only_the_wire_types_of_the_agent() -> None:
    for path in python_files("fleet"):
        agent = {name for name in imported_modules(path) if name.split(".")[0] == "npu_agent"}
        allowed = {name for name in agent if name == "npu_agent" or name.startswith("npu_agent.api")}
        assert agent == allowed, f"{path} reaches into the agent: {sorted(agent - allowed)}"


def test_agent_imports_neither_fleet_nor_lab() -> None:
    for path in python_files("agent"):
        roots = {name.split(".")[0] for name in imported_modules(path)}
        assert not roots & {"npufleet", "npufleet_lab"}, path


def test_wire_types_need_nothing_of_the_agent() -> None:
    for path in python_files("agent/npu_agent/api.py", "agent/npu_agent/api"):
        inner = {
            name
            for name in imported_modules(path)
            if name.split(".")[0] == "npu_agent" and not name.startswith("npu_agent.api")
        }
        assert not inner, f"{path} imports {sorted(inner)}"


def test_only_the_lab_verb_knows_the_lab() -> None:
    for path in python_files("fleet", "agent", "playbooks"):
        if path != LAB_DOOR_IN_FLEET:
            roots = {name.split(".")[0] for name in imported_modules(path)}
            assert "npufleet_lab" not in roots, path


def test_product_code_does_not_ask_whether_it_runs_in_the_lab() -> None:
    # A branch that knows the simulator would be tested instead of the product.
    word = re.compile(r"npufleet[-_]lab|simulat|NPUFLEET_LAB", re.IGNORECASE)
    for path in tracked_files():
        product = path.parts[0] in {"agent", "fleet", "roles", "playbooks"} or path.name == "site.yml"
        if product and path != LAB_DOOR_IN_FLEET and path.suffix in {".py", ".yml", ".j2", ".sh", ".json"}:
            found = word.search((ROOT / path).read_text(encoding="utf-8"))
            assert found is None, f"{path} speaks of the lab: {found.group(0) if found else ''}"


@pytest.mark.parametrize("part", ["agent", "fleet", "lab"])
def test_other_programs_are_started_behind_one_door(part: str) -> None:
    for path in python_files(part):
        if path in SUBPROCESS_DOORS:
            continue
        names = imported_modules(path)
        assert "subprocess" not in names, f"{path} starts programs itself; use {part}'s run module"
        assert not {"os.system", "os.popen", "pty"} & names, path


def test_agent_carries_only_what_it_declares() -> None:
    declared = {
        line.split("#")[0].strip().lower().replace("-", "_")
        for line in (ROOT / "requirements/agent.in").read_text(encoding="utf-8").splitlines()
        if line.split("#")[0].strip()
    }
    import_names = {"pyyaml": "yaml"}
    allowed = {import_names.get(name, name) for name in declared} | {"npu_agent"}
    # Their own dependencies that the agent may name: requests' and docker's errors surface through these.
    allowed |= {"requests", "urllib3", "h11", "anyio"}
    import sys

    for path in python_files("agent/npu_agent"):
        roots = {name.split(".")[0] for name in imported_modules(path)} - {"__future__"}
        foreign = {root for root in roots if root and root not in sys.stdlib_module_names} - allowed
        assert not foreign, f"{path} imports {sorted(foreign)}, which the agent's one file does not carry"
