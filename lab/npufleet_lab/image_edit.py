"""Turns a fresh Debian root into the machine a node says it is; pure file work, no package is run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_HCE_RELEASE = """\
NAME="Huawei Cloud EulerOS"
VERSION="2.0 (x86_64)"
ID="hce"
VERSION_ID="2.0"
PRETTY_NAME="Huawei Cloud EulerOS 2.0 (x86_64)"
ANSI_COLOR="0;31"
"""
# Units that wait for what a node does not have, or that mount what belongs to the machine's kernel.
_MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
    "e2scrub_reap.service", "fstrim.timer", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "sys-kernel-config.mount", "sys-fs-fuse-connections.mount", "dev-hugepages.mount",
    "proc-sys-fs-binfmt_misc.automount", "console-getty.service", "getty.target", "systemd-udevd.service",
    "systemd-udev-trigger.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
    "systemd-logind-varlink.socket",
)  # fmt: skip
_JOURNAL = "[Journal]\nStorage=persistent\nSystemMaxUse=64M\n"


def finish_debian12(root: Path) -> None:
    _finish_common(root)
    (root / "etc/apt/sources.list").write_text("")


def finish_hce2(root: Path) -> None:
    """HCE's identity and package tools; apt and dpkg go, so that choosing a package manager is a real decision."""
    _finish_common(root)
    _remove_apt(root)
    (root / "etc/os-release").unlink()
    (root / "etc/os-release").write_text(_HCE_RELEASE)
    (root / "usr/lib/os-release").write_text(_HCE_RELEASE)
    (root / "etc/hce-release").write_text("Huawei Cloud EulerOS release 2.0 (West Lake)\n")
    for name in ("debian_version", "issue", "issue.net"):
        (root / "etc" / name).unlink(missing_ok=True)
    # Debian's rpm refuses to be a system's package manager unless told where its database is.
    (root / "etc/rpm").mkdir(exist_ok=True)
    (root / "etc/rpm/macros").write_text("%_dbpath /var/lib/rpm\n")
    (root / "etc/dnf/vars").mkdir(parents=True, exist_ok=True)
    (root / "etc/dnf/vars/releasever").write_text("2.0\n")
    (root / "etc/yum.repos.d").mkdir(exist_ok=True)
    (root / "usr/bin/yum").symlink_to("dnf")


def _finish_common(root: Path) -> None:
    for pattern in (
        "etc/ssh/ssh_host_*",
        "etc/apt/apt.conf.d/99mmdebstrap",
        "var/cache/apt/archives/*.deb",
        "var/log/*.log",
    ):
        for path in root.glob(pattern):
            path.unlink()
    shutil.rmtree(root / "usr/share/doc", ignore_errors=True)
    shutil.rmtree(root / "usr/share/man", ignore_errors=True)
    # A node shares the machine's kernel: the settings that distributions ship would reach all of it.
    for pattern in ("etc/sysctl.d/*.conf", "usr/lib/sysctl.d/*.conf"):
        for path in root.glob(pattern):
            path.unlink()
    (root / "etc/sysctl.conf").write_text("")
    (root / "etc/machine-id").write_text("")
    _add_driver_user(root)
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    for unit in _MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    (root / "etc/systemd/journald.conf.d").mkdir(parents=True, exist_ok=True)
    (root / "etc/systemd/journald.conf.d/lab.conf").write_text(_JOURNAL)
    (root / "etc/resolv.conf").write_text("")


def _add_driver_user(root: Path) -> None:
    """The driver's installer makes this account; its devices belong to it."""
    for name, line in {
        "passwd": "HwHiAiUser:x:1000:1000:Ascend driver:/home/HwHiAiUser:/bin/bash",
        "group": "HwHiAiUser:x:1000:",
        "shadow": "HwHiAiUser:!:19700::::::",
    }.items():
        with (root / "etc" / name).open("a") as file:
            file.write(line + "\n")
    home = root / "home/HwHiAiUser"
    home.mkdir(exist_ok=True)
    os.chown(home, 1000, 1000)


def _remove_apt(root: Path) -> None:
    for folder in ("usr/bin", "usr/sbin"):
        for path in (root / folder).glob("*"):
            if path.name.startswith(("apt", "dpkg")):
                path.unlink()
    for folder in (
        "etc/apt",
        "var/lib/apt",
        "var/cache/apt",
        "usr/lib/apt",
        "var/lib/dpkg",
        "usr/lib/python3/dist-packages/apt",
    ):
        shutil.rmtree(root / folder, ignore_errors=True)
