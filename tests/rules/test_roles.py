"""The laws of roles: the spec is the interface, names carry their owner, every role answers the same verbs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from support.repo import ROOT, load_yaml, role_names

ROLES = role_names()
VERBS = ("main", "verify", "remove")


def specs(role: str) -> dict[str, dict[str, Any]]:
    return dict(load_yaml(Path("roles") / role / "meta/argument_specs.yml")["argument_specs"])


def defaults(role: str) -> dict[str, Any]:
    path = Path("roles") / role / "defaults/main.yml"
    return dict(load_yaml(path) or {}) if (ROOT / path).is_file() else {}


def test_there_are_roles() -> None:
    assert {"preflight", "docker", "ip_forward", "metadata_guard", "driver_mounts", "nic_env", "agent"} <= set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_role_answers_every_verb(role: str) -> None:
    for verb in VERBS:
        assert (ROOT / "roles" / role / "tasks" / f"{verb}.yml").is_file(), f"{role} has no {verb}"
        assert verb in specs(role), f"{role}: meta/argument_specs.yml has no entry {verb}"


@pytest.mark.parametrize("role", ROLES)
def test_defaults_equal_the_spec(role: str) -> None:
    given = defaults(role)
    described: dict[str, Any] = {}
    for entry in specs(role).values():
        for name, option in (entry.get("options") or {}).items():
            assert option.get("description"), f"{role}: {name} has no description"
            assert option.get("type"), f"{role}: {name} has no type"
            if "default" in option:
                assert described.setdefault(name, option["default"]) == option["default"], f"{role}: {name} twice"
    assert described == given


@pytest.mark.parametrize("role", ROLES)
def test_inputs_carry_the_name_of_their_role(role: str) -> None:
    for entry in specs(role).values():
        for name in entry.get("options") or {}:
            assert name.startswith(f"{role}_"), f"{role}: input {name} does not say whose it is"


@pytest.mark.parametrize("role", ROLES)
def test_every_input_is_used(role: str) -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("tasks", "templates", "vars", "handlers")
        for path in sorted((ROOT / "roles" / role / folder).rglob("*"))
        if path.is_file()
    )
    playbooks = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "playbooks").rglob("*.yml"))
    for entry in specs(role).values():
        for name in entry.get("options") or {}:
            assert re.search(rf"\b{name}\b", text + playbooks), f"{role}: input {name} does nothing"


@pytest.mark.parametrize("role", ROLES)
def test_readme_lists_every_input(role: str) -> None:
    readme = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    for entry in specs(role).values():
        for name in entry.get("options") or {}:
            assert f"`{name}`" in readme, f"roles/{role}/README.md does not list {name}: scripts/role_readmes.py"


# Roles that only read.
READERS = {"node", "preflight"}


@pytest.mark.parametrize("role", sorted(set(ROLES) - READERS))
def test_main_does_only_what_the_role_says_it_needs(role: str) -> None:
    """A node where no role needs anything is left out: a step must not hang on something else."""
    needs = load_yaml(Path("roles") / role / "vars/main.yml")[f"__{role}_needs"]
    steps = set()
    for task in load_yaml(Path("roles") / role / "tasks/main.yml"):
        file = task.get("ansible.builtin.import_tasks")
        if file is not None:  # looks and stops, and changes nothing where the role is run at all
            steps.add(Path(file).stem)
            continue
        conditions = task.get("when")
        first = conditions[0] if isinstance(conditions, list) else conditions
        found = re.fullmatch(rf"__{role}_needs\.(\w+)", str(first))
        assert found, f"roles/{role}/tasks/main.yml: {task['name']!r} does not begin its condition with its need"
        steps.add(found[1])
    assert steps == set(needs), f"roles/{role}/vars/main.yml: __{role}_needs and the steps of main differ"


def test_every_role_with_needs_is_compared() -> None:
    playbooks = (ROOT / "playbooks/prepare.yml", ROOT / "playbooks/agent.yml")
    compared = "".join(path.read_text(encoding="utf-8") for path in playbooks)
    for role in set(ROLES) - READERS:
        assert f"'{role}': __{role}_needs" in compared, f"{role} is not compared before the roles run"


def declared_variables() -> set[str]:
    return {name for role in ROLES for entry in specs(role).values() for name in (entry.get("options") or {})}


def inventory_variables() -> dict[str, Path]:
    """Every variable set in inventory/sample, with the file that sets it."""
    found: dict[str, Path] = {}

    def of_group(group: dict[str, Any], path: Path) -> None:
        for name in group.get("vars") or {}:
            found[name] = path
        for variables in (group.get("hosts") or {}).values():
            for name in variables or {}:
                found[name] = path
        for child in (group.get("children") or {}).values():
            of_group(child or {}, path)

    for path in sorted((ROOT / "inventory/sample").rglob("*.yml")):
        content = load_yaml(path.relative_to(ROOT)) or {}
        if path.parent.name in {"group_vars", "host_vars"}:
            found.update(dict.fromkeys(content, path))
        else:
            for group in content.values():
                of_group(group or {}, path)
    return found


def test_every_inventory_variable_is_declared_by_a_role() -> None:
    # Ansible takes a misspelt variable in silence; this is where it is noticed.
    declared = declared_variables()
    variables = inventory_variables()
    assert variables, "inventory/sample sets no variable"
    for name, path in variables.items():
        assert name.startswith("ansible_") or name in declared, f"{path.relative_to(ROOT)}: no role knows {name}"
