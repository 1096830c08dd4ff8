"""The files that make a container one particular node."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from npufleet_lab import keys, node_files
from npufleet_lab.files import FileSet
from npufleet_lab.node_spec import NodeSpec


@pytest.fixture
def files(tmp_path: Path) -> FileSet:
    identity = node_files.NodeIdentity(
        name="lab-2",
        management_address="10.87.10.12",
        peer_address="10.87.140.12",
        host_key=keys.ensure(tmp_path / "host", "lab-2"),
        authorized_key=keys.ensure(tmp_path / "user", "me").public_line,
        device_major=236,
    )
    return node_files.everything(NodeSpec(2, "hce2", "910B3", "24.1.0"), identity)


def test_the_node_document_says_what_boot_needs(files: FileSet) -> None:
    node = json.loads(files.content("/etc/npufleet-lab/node.json"))
    assert [each["address"] for each in node["interfaces"]] == ["10.87.10.12", "10.87.140.12"]
    assert node["devices"] == list(range(8))
    assert len(node["secret"]) == 32


def test_the_driver_tree_is_that_of_the_version(files: FileSet) -> None:
    version = files.content("/usr/local/Ascend/driver/version.info").decode()
    assert version.startswith("Version=24.1.0\n")
    assert "compatible_version_fw=[7.0.0,7.5.99]" in version
    firmware = files.content("/usr/local/Ascend/firmware/version.info").decode()
    assert firmware.startswith("Version=7.5.0.5.220\n")
    assert "[24.1.0,24.1.0.]" in firmware
    conf = files.content("/etc/hccn.conf").decode().splitlines()
    assert conf[:2] == ["address_0=10.200.2.10", "netmask_0=255.255.0.0"]
    assert len([line for line in conf if line.startswith("address_")]) == 8


def test_an_even_node_has_npu_smi_in_bin_only(files: FileSet) -> None:
    assert "/usr/local/bin/npu-smi" in files.paths()
    assert "/usr/local/sbin/npu-smi" not in files.paths()


def test_nobody_gets_in_before_the_metadata_address_is_closed(files: FileSet) -> None:
    drop_in = files.content("/etc/systemd/system/ssh.service.d/lab.conf").decode()
    assert "Requires=npufleet-lab-boot.service" in drop_in
    assert "/etc/systemd/system/sysinit.target.wants/npufleet-lab-boot.service" in files.paths()


def test_the_archive_keeps_modes_and_does_not_change(files: FileSet) -> None:
    with tarfile.open(fileobj=io.BytesIO(files.archive())) as tar:
        modes = {member.name: member.mode for member in tar}
    assert modes["etc/ssh/ssh_host_ed25519_key"] == 0o600
    assert modes["usr/local/bin/npu-smi"] == 0o755
    assert modes["root/.ssh"] == 0o700
    assert files.archive() == files.archive()


def test_every_launcher_names_a_module_with_a_main(files: FileSet) -> None:
    for path in (
        "/usr/local/lib/npufleet-lab/boot",
        "/usr/local/bin/npu-smi",
        "/usr/local/Ascend/driver/tools/hccn_tool",
    ):
        module = files.content(path).decode().split("from node.")[1].split()[0]
        source = files.content(f"/usr/local/lib/npufleet-lab/node/{module}.py").decode()
        assert "def main() -> int:" in source
