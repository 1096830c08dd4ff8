"""Build the agent: one reproducible file per architecture, so that the same source is the same file everywhere.

Usage: python agent/build.py [--out build/agent] [--arch x86_64,aarch64]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

AGENT = Path(__file__).resolve().parent
ROOT = AGENT.parent
PACKAGE = AGENT / "npu_agent"
REQUIREMENTS = ROOT / "requirements" / "agent.txt"
ARCHITECTURES = ("x86_64", "aarch64")
OLDEST_PYTHON = "3.9"
# -I: nothing of the caller's environment or folder gets into root's agent.
SHEBANG = b"#!/usr/bin/python3 -I\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100644 << 16

# psutil's extension is built once for all Python versions; the other wheels also carry a pure-Python form.
EXTENSIONS = re.compile(r"psutil/.*\.abi3\.so")
WANTED = re.compile(r".*\.(py|pem)|.*\.dist-info/(METADATA|.*(LICEN[SC]E|COPYING|NOTICE|AUTHORS).*)|.*/py\.typed")
UNWANTED = re.compile(r".*(/tests?/|/testing/|pytest_plugin|/_ps(bsd|osx|sunos|windows|aix)\.py|/emscripten/).*")


def pinned(requirements: Path) -> dict[str, set[str]]:
    """The accepted SHA-256 sums by requirement."""
    found: dict[str, set[str]] = {}
    current = ""
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+==[^\s;\\]+)", line):
            current = match[1]
            found[current] = set()  # one without a hash is still wanted, and then nothing fits
        for digest in re.findall(r"--hash=sha256:([0-9a-f]{64})", line):
            found[current].add(digest)
    return found


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def chosen(folder: Path, pins: Mapping[str, set[str]]) -> list[Path] | None:
    """The wheel of every requirement, checked by hash; None when one is missing."""
    digests = {sha256(path.read_bytes()): path for path in sorted(folder.glob("*.whl"))}
    wheels = [next((digests[d] for d in sorted(allowed) if d in digests), None) for allowed in pins.values()]
    return None if None in wheels else [wheel for wheel in wheels if wheel is not None]


def download(arch: str, folder: Path) -> None:
    """From whatever index this machine's pip is set up with; hashes decide what is accepted."""
    folder.mkdir(parents=True, exist_ok=True)
    platforms = [f"--platform={tag}_{arch}" for tag in ("manylinux2014", "manylinux_2_17", "manylinux2010")]
    abis = ["--abi=cp39", "--abi=abi3", "--abi=none"]
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "--requirement", str(REQUIREMENTS), "--only-binary=:all:", "--implementation=cp",
            f"--python-version={OLDEST_PYTHON}", *platforms, *abis, "--dest", str(folder),
        ],
        check=True,
    )  # fmt: skip


def wheels_for(arch: str, cache: Path) -> list[Path]:
    pins = pinned(REQUIREMENTS)
    folder = cache / arch
    found = chosen(folder, pins)
    if found is None:
        download(arch, folder)
        found = chosen(folder, pins)
    if found is None:
        raise SystemExit(f"{folder} does not hold every wheel that {REQUIREMENTS} pins. Remove it, then build again.")
    return found


def from_wheel(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            if EXTENSIONS.fullmatch(name) or (WANTED.fullmatch(name) and not UNWANTED.fullmatch(name)):
                yield f"lib/{name}", packed.read(name)


def own_files() -> Iterator[tuple[str, bytes]]:
    for path in PACKAGE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"lib/{path.relative_to(AGENT).as_posix()}", path.read_bytes()


def contents(arch: str, cache: Path) -> dict[str, bytes]:
    found = dict(own_files())
    for wheel in wheels_for(arch, cache):
        found.update(from_wheel(wheel))
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(f"{name}\0{sha256(found[name])}\n".encode())
    main = (AGENT / "bootstrap" / "__main__.py").read_text(encoding="utf-8")
    found["__main__.py"] = main.replace("@DIGEST@", digest.hexdigest()).encode()
    return found


def pack(files: Mapping[str, bytes]) -> bytes:
    """Stored, not deflated: compressors differ between machines, and the file must not."""
    buffer = io.BytesIO()
    buffer.write(SHEBANG)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = FILE_MODE
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def version() -> str:
    text = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise SystemExit(f"{PACKAGE / '__init__.py'} names no version.")
    return match[1]


def build(out: Path, architectures: list[str], cache: Path) -> Mapping[str, object]:
    out.mkdir(parents=True, exist_ok=True)
    artefacts = {}
    for arch in architectures:
        data = pack(contents(arch, cache))
        name = f"npu-agent-{version()}-{arch}.pyz"
        part = out / f"{name}.part"
        part.write_bytes(data)
        part.chmod(0o755)
        part.replace(out / name)
        artefacts[arch] = {"file": name, "sha256": sha256(data), "size": len(data)}
    manifest = {"version": version(), "artefacts": artefacts}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the one-file agent.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "agent")
    parser.add_argument("--arch", default=",".join(ARCHITECTURES), help="comma-separated: x86_64, aarch64")
    parser.add_argument("--wheels", type=Path, default=ROOT / "build" / "wheels", help="where wheels are kept")
    arguments = parser.parse_args()
    architectures = [item.strip() for item in arguments.arch.split(",") if item.strip()]
    unknown = sorted(set(architectures) - set(ARCHITECTURES))
    if unknown or not architectures:
        parser.error(f"--arch knows {', '.join(ARCHITECTURES)}, not {', '.join(unknown) or 'nothing'}")
    try:
        manifest = build(arguments.out, architectures, arguments.wheels)
    except subprocess.CalledProcessError:
        raise SystemExit("pip could not download the agent's libraries; its own words are above.") from None
    print(json.dumps(manifest, indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
