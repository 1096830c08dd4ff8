"""An arm64 Python for this machine: Debian's packages unpacked into a folder, run by qemu-user."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from npufleet_lab import apt, machine
from npufleet_lab.config import LabConfig
from npufleet_lab.run import run

PACKAGES = ("python3.11-minimal", "python3.11", "libsqlite3-0", "libssl3", "base-files")
EMULATOR = "qemu-aarch64-static"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def root() -> Path:
    """The folder with the unpacked system, made once a machine."""
    if machine.missing_programs({EMULATOR: "qemu-user-static"}):
        apt.install(["qemu-user-static"])
    recipe = Path(__file__).read_text(encoding="utf-8") + apt.sources_fingerprint()
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    folder = LabConfig.from_environment().cache_dir / f"arm64-{key}"
    if not (folder / "complete").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        unpack(folder)
        (folder / "complete").touch()
    return folder / "root"


def unpack(folder: Path) -> None:
    place = folder / "apt"
    for name in ("lists/partial", "archives/partial", "etc"):
        (place / name).mkdir(parents=True)
    (place / "status").touch()
    (place / "etc/sources.list").write_text(apt.debian_source().line() + "\n", encoding="utf-8")
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "root",
        "Dir::Etc::sourcelist": str(place / "etc/sources.list"),
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": str(place / "lists"),
        "Dir::State::status": str(place / "status"),
        "Dir::Cache::archives": str(place / "archives"),
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Acquire::Languages": "none",
    }
    flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    run(["apt-get", *flags, "-q", "update"], timeout_s=300)
    run(
        ["apt-get", *flags, "-q", "-y", "--no-install-recommends", "--download-only", "install", *PACKAGES],
        timeout_s=600,
    )
    target = folder / "root"
    for archive in sorted((place / "archives").glob("*.deb")):
        run(["dpkg-deb", "-x", str(archive), str(target)], timeout_s=120)
    shutil.rmtree(place)
    emulator = shutil.which(EMULATOR)
    assert emulator
    shutil.copy2(emulator, target / EMULATOR)
    for name in ("proc", "dev", "tmp", "mnt"):
        (target / name).mkdir(exist_ok=True)


def command(place: Path, work: Path, *words: str) -> list[str]:
    """Run an arm64 program in that system, with `work` at /mnt; no mount is left behind."""
    script = (
        'set -e; cd "$0"; mount -t proc none proc; mount --rbind /dev dev; mount -t tmpfs none tmp;'
        ' mount --bind "$1" mnt; shift; exec chroot . "$@"'
    )
    inside = (f"/{EMULATOR}", *words)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(place), str(work), *inside]


def start(place: Path, work: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(place, work, *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": PATH, "HOME": "/", "LC_ALL": "C.UTF-8", "NPU_AGENT_UNPACK_DIR": "/mnt/unpacked"},
    )
