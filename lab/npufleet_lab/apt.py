"""Reads this machine's own apt configuration, and uses it to fetch what the nodes are made of.

The lab names no mirror: whatever registry, proxy, certificate or option this machine's apt works with, the lab works
with too, because apt itself does every download.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from npufleet_lab.errors import LabError
from npufleet_lab.run import run

SUITE = "bookworm"
_TARGET_FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(SIGNED_BY)"
# Options under these names say how to download; the rest of apt's configuration is about this machine's own packages.
_DOWNLOAD_OPTIONS = ("Acquire::",)
_NOT_FOR_NODES = ("Acquire::IndexTargets", "Acquire::cdrom", "Acquire::Changelogs")


@dataclass(frozen=True)
class Source:
    """One `deb` line of the machine."""

    uri: str
    suite: str
    component: str
    origin: str
    signed_by: str = ""

    def line(self) -> str:
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.uri} {self.suite} {self.component}"


def parse_sources(text: str) -> list[Source]:
    """Read `apt-get indextargets` in our format; apt leaves a $(NAME) standing where it has no value."""
    sources = []
    for line in text.splitlines():
        fields = [field if not field.startswith("$(") else "" for field in line.strip().split("|")]
        if len(fields) == 5 and fields[0] and fields[1]:
            sources.append(Source(*fields))
    return list(dict.fromkeys(sources))


def choose_debian(sources: Iterable[Source], suite: str = SUITE) -> Source:
    """The source that carries Debian itself: other vendors' repositories and the updates suites do not."""
    candidates = [s for s in sources if s.suite == suite and s.component == "main" and s.origin in {"Debian", ""}]
    if not candidates:
        raise LabError(
            f"The lab builds its nodes from Debian 12 packages, and apt on this machine offers no Debian {suite} main.",
            f"Run the lab on Debian 12, or add a source for {suite} to apt and run apt-get update.",
        )
    # A source whose Release file is known wins over one that apt has not read yet.
    return max(candidates, key=lambda source: source.origin == "Debian")


def download_options(dump: str) -> str:
    """The part of `apt-config dump` that a second apt needs to download as this machine's apt does."""
    lines = [line for line in dump.splitlines() if line.startswith(_DOWNLOAD_OPTIONS)]
    return "\n".join(line for line in lines if not line.startswith(_NOT_FOR_NODES)) + "\n"


def require_apt() -> None:
    if shutil.which("apt-get") is None:
        raise LabError(
            "The lab builds its nodes from Debian packages, and this machine has no apt-get.",
            "Run the lab on Debian 12 (a container or virtual machine is fine).",
        )


def debian_source() -> Source:
    return choose_debian(
        parse_sources(run(["apt-get", "indextargets", "--format", _TARGET_FORMAT, "Created-By: Packages"]))
    )


def sources_fingerprint() -> str:
    """Changes when the machine's sources do: part of the cache key of what is built from them."""
    return run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])


def write_options(path: Path) -> Path:
    """An apt configuration file for a bootstrap into another root, credentials files included."""
    text = download_options(run(["apt-config", "dump"]))
    text += 'Dir::Etc::netrc "/etc/apt/auth.conf";\nDir::Etc::netrcparts "/etc/apt/auth.conf.d";\n'
    path.write_text(text)
    path.chmod(0o600)
    return path


def update_lists() -> None:
    run(["apt-get", "update", "-q"], timeout_s=300)


def lists_are_missing() -> bool:
    return not any(Path("/var/lib/apt/lists").glob("*_Packages*"))


def install(packages: Sequence[str]) -> None:
    """Install packages on this machine, without what they merely recommend."""
    if lists_are_missing():
        update_lists()
    run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], timeout_s=900)


def download_closure(packages: Sequence[str], status: Path, folder: Path) -> list[Path]:
    """Download packages and everything they need that a system with this dpkg status does not have."""
    archives = folder.absolute()
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::status": str(status),
        "Dir::Cache::archives": str(archives),
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
    }
    flags = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    run(
        ["apt-get", *flags, "install", "-q", "-y", "--download-only", "--no-install-recommends", *packages],
        timeout_s=900,
    )
    shutil.rmtree(archives / "partial", ignore_errors=True)
    (archives / "lock").unlink(missing_ok=True)
    return sorted(archives.glob("*.deb"))
