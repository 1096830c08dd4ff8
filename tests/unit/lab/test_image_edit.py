"""What distinguishes the node systems from a plain Debian."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from npufleet_lab import image_edit

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user, which only root can")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in (
        "etc/ssh", "etc/apt/apt.conf.d", "etc/sysctl.d", "etc/systemd/system", "etc/dnf", "usr/bin", "usr/sbin",
        "usr/lib/sysctl.d", "usr/lib/apt", "var/lib/dbus", "var/lib/dpkg", "home", "var/lib/apt",
    ):  # fmt: skip
        (tmp_path / folder).mkdir(parents=True)
    for name in ("passwd", "group", "shadow", "os-release", "debian_version", "ssh/ssh_host_rsa_key"):
        (tmp_path / "etc" / name).write_text("root:x:0:0::/root:/bin/sh\n")
    for name in ("apt-get", "dpkg", "dnf", "python3"):
        (tmp_path / "usr/bin" / name).write_text("program")
    (tmp_path / "usr/lib/sysctl.d/50-pid-max.conf").write_text("kernel.pid_max = 4194304\n")
    return tmp_path


def test_both_systems_leave_the_shared_kernel_alone(root: Path) -> None:
    image_edit.finish_debian12(root)
    assert list((root / "usr/lib/sysctl.d").iterdir()) == []
    assert (root / "etc/systemd/system/sys-kernel-debug.mount").readlink() == Path("/dev/null")


def test_no_two_nodes_share_an_identity(root: Path) -> None:
    image_edit.finish_debian12(root)
    assert list((root / "etc/ssh").iterdir()) == []
    assert (root / "etc/machine-id").read_text() == ""


def test_hce_has_its_name_and_only_its_package_tools(root: Path) -> None:
    image_edit.finish_hce2(root)
    assert 'ID="hce"' in (root / "etc/os-release").read_text()
    assert {path.name for path in (root / "usr/bin").iterdir()} == {"dnf", "python3", "yum"}
    assert not (root / "etc/debian_version").exists()
    assert list((root / "etc/yum.repos.d").iterdir()) == []


def test_the_drivers_account_is_there(root: Path) -> None:
    image_edit.finish_debian12(root)
    assert "HwHiAiUser:x:1000:1000:" in (root / "etc/passwd").read_text()
