from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npufleet import inventory_check, role_inputs
from npufleet.inventory_check import Finding, Source
from support.repo import ROOT

INPUTS = role_inputs.read(ROOT / "roles")
UNCHECKED = {"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site with nothing amiss."""
    (tmp_path / "pki").mkdir()
    for name in ("ca.crt", "fleet.secret", "ca.key"):
        (tmp_path / "pki" / name).touch(mode=0o600)
    return tmp_path


def check(folder: Path, hosts: dict[str, dict[str, Any]] | None = None, **groups: list[str]) -> list[Finding]:
    given = hosts or {"n-1": {"ansible_host": "127.0.0.1"}}
    document: dict[str, Any] = {
        "_meta": {"hostvars": {name: {**UNCHECKED, **variables} for name, variables in given.items()}},
        "npu_nodes": {"hosts": list(given)},
        **{name: {"hosts": members} for name, members in groups.items()},
    }
    return inventory_check.check(Source(document, folder, INPUTS))


def codes(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity, finding.code) for finding in found]


def one(variables: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"n-1": {"ansible_host": "127.0.0.1", **variables}}


def test_nothing_amiss(folder: Path) -> None:
    fine = {"agent_port": 7443, "docker_repository_url": "{{ x }}", "rack": "b", "fleet_notice": "x"}
    assert check(folder, one(fine)) == []


def test_misspelt_variable_is_found_with_its_place_and_what_was_meant(folder: Path) -> None:
    (folder / "hosts.yml").write_text("npu_nodes:\n  vars:\n    preflight_expected_npu: 8\n")
    found = check(folder, one({"preflight_expected_npu": 8}))
    assert codes(found) == [("error", "variable-unknown")]
    assert "preflight_expected_npu (hosts.yml:3) does nothing" in found[0].text
    assert "preflight_expected_npus" in found[0].remedy


def test_misspelt_role_is_a_warning_as_it_may_be_somebody_elses(folder: Path) -> None:
    assert codes(check(folder, one({"agnet_port": 7443}))) == [("warning", "variable-unknown")]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"preflight_expected_npus": "eight"}, "variable-type"),
        ({"images_archives": {"a": 1}}, "variable-type"),
        ({"agent_address": "{{ lookup('env', 'X') }}"}, "template"),
        ({"agent_port": "https"}, "variable-type"),
        ({"ansible_port": "0"}, "port"),
        ({"ansible_host": "no.such.name.invalid"}, "address-missing"),
        ({"agent_address": "no.such.name.invalid"}, "address-missing"),
    ],
)
def test_values_that_cannot_work(folder: Path, variables: dict[str, Any], code: str) -> None:
    assert ("error", code) in codes(check(folder, one(variables)))


def test_two_names_of_one_server(folder: Path) -> None:
    same: dict[str, dict[str, Any]] = {"n-1": {"ansible_host": "127.0.0.1"}, "n-2": {"ansible_host": "127.0.0.1"}}
    found = check(folder, same)
    assert codes(found) == [("error", "address-twice")] * 2
    assert found[0].nodes == ("n-1", "n-2")
    same["n-2"] |= {"agent_port": 7444, "ansible_port": 2222}
    assert check(folder, same) == []


def test_files_that_are_never_read(folder: Path) -> None:
    for name in ("group_vars/npu_node.yml", "group_vars/npu_nodes.yml", "group_vars/all.yml", "host_vars/n-9.yml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    found = check(folder)
    assert codes(found) == [("error", "group-unknown"), ("error", "host-unknown")]
    assert "npu_nodes" in found[0].remedy


def test_hosts_outside_the_group(folder: Path) -> None:
    assert codes(check(folder, None, storage=["s-1"])) == [("warning", "outside")]


def test_keys_of_the_site(folder: Path) -> None:
    (folder / "pki/fleet.secret").chmod(0o644)
    (folder / "pki/ca.crt").unlink()
    assert codes(check(folder)) == [("error", "pki-open"), ("warning", "pki-missing")]


def test_host_keys(folder: Path) -> None:
    wants = {"ansible_ssh_common_args": f"-o UserKnownHostsFile={folder / 'kh'}"}
    assert codes(check(folder, one(wants))) == [("warning", "host-key-missing")]
    (folder / "kh").write_text("127.0.0.1 ssh-ed25519 AAAA\n")
    assert check(folder, one(wants)) == []
