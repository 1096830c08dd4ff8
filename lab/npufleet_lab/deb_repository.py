"""A Debian package folder for apt: what a node needs to install an engine or a firewall without an uplink."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from npufleet_lab import apt
from npufleet_lab.run import run

# Beside the engine, what servers have in front of it: some neither, some one, some both.
PACKAGES = ("docker.io", "nftables", "firewalld", "rsync")


def build(folder: Path, node_status: Path) -> list[Path]:
    """Download the packages that the node image lacks, with all they need, and index them; returns the files."""
    archives = apt.download_closure(PACKAGES, node_status, folder)
    stanzas = [_stanza(path) for path in archives]
    index = "\n".join(stanzas).encode()
    (folder / "Packages").write_bytes(index)
    (folder / "Packages.gz").write_bytes(gzip.compress(index, mtime=0))
    (folder / "Release").write_text(_release(folder))
    return archives


def _stanza(archive: Path) -> str:
    """The package's own control fields and where the file is, as apt's index wants them."""
    control = run(["dpkg-deb", "--field", str(archive)]).rstrip("\n")
    data = archive.read_bytes()
    return f"{control}\nFilename: ./{archive.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"


def _release(folder: Path) -> str:
    date = format_datetime(datetime.now(UTC), usegmt=True).replace("GMT", "UTC")
    lines = ["Origin: npufleet lab", "Label: npufleet lab", f"Suite: {apt.SUITE}", f"Date: {date}", "SHA256:"]
    for name in ("Packages", "Packages.gz"):
        data = (folder / name).read_bytes()
        lines.append(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}")
    return "\n".join(lines) + "\n"
