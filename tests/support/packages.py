"""Small packages and folders of packages, as an operator or a repository would have them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import requests


def deb(folder: Path, name: str, version: str, *fields: str) -> Path:
    """A package that carries nothing but its name, and what it needs."""
    root = folder / f".{name}-{version}"
    (root / "DEBIAN").mkdir(parents=True)
    lines = [f"Package: {name}", f"Version: {version}", "Architecture: all", "Maintainer: test", *fields]
    (root / "DEBIAN/control").write_text("\n".join([*lines, "Description: for a test", ""]), encoding="utf-8")
    path = folder / f"{name}_{version}_all.deb"
    run("dpkg-deb", "--build", "--root-owner-group", str(root), str(path))
    run("rm", "-r", str(root))
    return path


def rpm(folder: Path, name: str, version: str, *fields: str) -> Path:
    work = folder / f".{name}-{version}"
    work.mkdir(parents=True)
    tags = ["License: none", "BuildArch: noarch", "AutoReq: no", "AutoProv: no", *fields]
    spec = "\n".join([f"Name: {name}", f"Version: {version}", "Release: 1", "Summary: for a test", *tags])
    (work / "spec").write_text(spec + "\n%description\nFor a test.\n%files\n", encoding="utf-8")
    defines = [f"_topdir {work}", f"_rpmdir {folder}", "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm"]
    flags = [part for define in defines for part in ("--define", define)]
    run("rpmbuild", "-bb", "--quiet", *flags, str(work / "spec"))
    run("rm", "-r", str(work))
    return folder / f"{name}-{version}-1.noarch.rpm"


def copy_of(repository: str, folder: Path) -> Path:
    """Every package of a repository as plain files, without its index: what an operator carries to a closed site."""
    folder.mkdir(parents=True, exist_ok=True)
    page = requests.get(repository + "/", timeout=30).text
    for name in re.findall(r'href="([^"/]+\.(?:deb|rpm))"', page):
        (folder / unquote(name)).write_bytes(requests.get(f"{repository}/{name}", timeout=60).content)
    return folder


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, " ".join(command) + "\n" + done.stdout + done.stderr
