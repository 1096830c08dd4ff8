from __future__ import annotations

from pathlib import Path

import pytest

from npufleet.errors import ProjectError, UsageError
from npufleet.project import ansible_environment, find_inventory, find_project, inventory_folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "inventory" / "lab").mkdir(parents=True)
    (root / "site.yml").touch()
    (root / "ansible.cfg").touch()
    return root


def test_checkout_is_found_from_a_folder_inside_it(checkout: Path) -> None:
    assert find_project({}, checkout / "inventory" / "lab").root == checkout


def test_home_variable_wins_and_must_be_right(checkout: Path, tmp_path: Path) -> None:
    assert find_project({"NPUFLEET_HOME": str(checkout)}, tmp_path).root == checkout
    with pytest.raises(ProjectError, match="NPUFLEET_HOME says"):
        find_project({"NPUFLEET_HOME": str(tmp_path)}, checkout)


def test_ansible_reads_the_configuration_of_the_checkout(checkout: Path) -> None:
    environment = ansible_environment({}, checkout)
    assert environment["ANSIBLE_CONFIG"] == str(checkout / "ansible.cfg")


def test_inventory_given_then_variable_then_lab(checkout: Path, tmp_path: Path) -> None:
    given, named = tmp_path / "given", tmp_path / "named"
    given.mkdir()
    named.mkdir()
    environ = {"NPUFLEET_INVENTORY": str(named)}
    assert find_inventory(given, environ, checkout) == given
    assert find_inventory(None, environ, checkout) == named
    assert find_inventory(None, {}, checkout) == checkout / "inventory" / "lab"


def test_no_inventory_says_what_to_do(checkout: Path) -> None:
    (checkout / "inventory" / "lab").rmdir()
    with pytest.raises(UsageError) as caught:
        find_inventory(None, {}, checkout)
    assert caught.value.failure.code == "inventory-missing"
    assert "npufleet lab up" in caught.value.failure.remedy


@pytest.mark.parametrize(
    ("given", "environ", "said"),
    [("nowhere", {}, "-i"), (None, {"NPUFLEET_INVENTORY": "/no/where"}, "NPUFLEET_INVENTORY")],
)
def test_inventory_that_is_not_there(given: str | None, environ: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"that {said} names does not exist"):
        find_inventory(tmp_path / given if given else None, environ, tmp_path)


def test_keys_lie_beside_an_inventory_file_and_inside_a_folder(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").touch()
    assert inventory_folder(tmp_path / "hosts.yml") == tmp_path
    assert inventory_folder(tmp_path) == tmp_path
