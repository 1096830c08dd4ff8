"""An RPM repository for dnf: the same container engine under the names that EulerOS, HCE and openEuler give it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from npufleet_lab import apt
from npufleet_lab.run import run

BUILD_PROGRAMS = {"rpmbuild": "rpm", "createrepo_c": "createrepo-c"}
_VERSION = "20.10.24"
_BUILD_TIMEOUT_S = 300
_UNIT = """\
[Unit]
Description=Docker Application Container Engine
After=network-online.target firewalld.service
Wants=network-online.target

[Service]
Type=notify
EnvironmentFile=-/etc/sysconfig/docker
ExecStart=/usr/bin/dockerd $OPTIONS
ExecReload=/bin/kill -s HUP $MAINPID
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TimeoutStartSec=0
Delegate=yes
KillMode=process
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""
_SPEC = """\
Name: {name}
Version: {version}
Release: 1.lab
Summary: {summary}
License: Apache-2.0
{tags}
AutoReq: no
AutoProv: no
%define _binary_payload w1.gzdio
%define __os_install_post %{{nil}}
%define debug_package %{{nil}}
%define _build_id_links none

%description
{summary}, repacked from Debian's for simulated nodes.

%files
{files}
"""


@dataclass(frozen=True)
class Package:
    """`contents` are paths below the staged tree; a package without any carries a file that says so."""

    name: str
    summary: str
    contents: tuple[str, ...]
    tags: tuple[str, ...] = ()


_RUNC = ("/usr/bin/runc",)
_ENGINE = (
    "/usr/bin/docker", "/usr/bin/dockerd", "/usr/bin/docker-proxy", "/usr/bin/docker-init", "/usr/bin/containerd",
    "/usr/bin/containerd-shim", "/usr/bin/containerd-shim-runc-v1", "/usr/bin/containerd-shim-runc-v2", "/usr/bin/ctr",
    "/usr/lib/systemd/system/docker.service",
)  # fmt: skip
_SELINUX = "/usr/share/selinux/packages/docker-engine.README"


def packages(libraries: tuple[str, ...]) -> list[Package]:
    """`libraries` are shared libraries that the engine needs and the node image lacks."""
    both = ("Provides: container-engine",)
    return [
        Package("docker-runc", "Tool that starts containers", _RUNC, ("Conflicts: docker",)),
        Package("docker-engine-selinux", "SELinux policy of the container engine", (_SELINUX,), ("BuildArch: noarch",)),
        Package(
            "docker-engine",
            "Container engine",
            _ENGINE + libraries,
            (*both, "Requires: docker-runc", "Requires: docker-engine-selinux", "Conflicts: docker"),
        ),
        Package("docker", "Container engine", _ENGINE + _RUNC + libraries, (*both, "Conflicts: docker-engine")),
    ]


def build(folder: Path, node_status: Path, work: Path) -> None:
    """Repack Debian's engine as RPMs under `folder` and index them."""
    shutil.rmtree(work, ignore_errors=True)
    stage = work / "stage"
    libraries = _stage(stage, apt.download_closure(["docker.io"], node_status, work / "debs"), work / "unpacked")
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages(libraries):
        _build_one(package, stage, work, folder)
    run(["createrepo_c", "--quiet", "--database", str(folder)], timeout_s=_BUILD_TIMEOUT_S)
    shutil.rmtree(work)


def _stage(stage: Path, archives: list[Path], unpacked: Path) -> tuple[str, ...]:
    """Lay the files out as EulerOS does, everything in /usr/bin; returns the libraries that came along."""
    for archive in archives:
        run(["dpkg-deb", "-x", str(archive), str(unpacked)], timeout_s=120)
    for path in (*_ENGINE, *_RUNC):
        found = _find_program(unpacked, Path(path).name)
        if found is not None:
            _copy(found, stage / path.lstrip("/"))
    _write(stage / "usr/lib/systemd/system/docker.service", _UNIT)
    _write(
        stage / _SELINUX.lstrip("/"), "The simulated nodes do not enforce SELinux: this package has no policy in it.\n"
    )
    libraries = sorted(path for path in unpacked.glob("**/*.so.*") if path.is_file())
    for library in libraries:
        _copy(library, stage / "usr/lib/x86_64-linux-gnu" / library.name)
    return tuple(f"/usr/lib/x86_64-linux-gnu/{library.name}" for library in libraries)


def _find_program(unpacked: Path, name: str) -> Path | None:
    """Debian splits programs between two folders, and makes links of some: the file itself is wanted."""
    candidates = [unpacked / place / name for place in ("usr/bin", "usr/sbin")]
    for link in [path for path in candidates if path.is_symlink()]:
        target = link.readlink()
        candidates.append(unpacked / str(target).lstrip("/") if target.is_absolute() else link.parent / target)
    return next((path for path in candidates if path.is_file() and not path.is_symlink()), None)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _build_one(package: Package, stage: Path, work: Path, folder: Path) -> None:
    root = work / f"root-{package.name}"
    for path in package.contents:
        _copy(stage / path.lstrip("/"), root / path.lstrip("/"))
    fields = {"name": package.name, "version": _VERSION, "summary": package.summary}
    spec = work / f"{package.name}.spec"
    spec.write_text(_SPEC.format(tags="\n".join(package.tags), files="\n".join(package.contents), **fields))
    target = ["--target", "noarch"] if "BuildArch: noarch" in package.tags else []
    defines = [
        f"_topdir {work}/rpmbuild",
        f"_rpmdir {folder}",
        "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
    ]
    flags = [part for define in defines for part in ("--define", define)]
    run(
        ["rpmbuild", "-bb", "--quiet", *target, *flags, "--buildroot", str(root), str(spec)], timeout_s=_BUILD_TIMEOUT_S
    )
