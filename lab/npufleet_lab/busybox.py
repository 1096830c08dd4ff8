"""A tiny container image for the nodes' own engines, in the format of `docker save`; no registry is involved."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tarfile
from pathlib import Path

from npufleet_lab import apt
from npufleet_lab.errors import LabError
from npufleet_lab.run import run

IMAGE_NAME = "npufleet-lab/busybox:1"
_APPLETS = (
    "sh", "ash", "sleep", "nc", "ls", "cat", "echo", "env", "id", "grep", "ps", "kill", "true", "false", "date", "df",
    "dd", "mkdir", "touch", "rm", "test", "[", "hostname", "ip", "ping", "stat", "head", "tail", "seq", "printf",
    "mount", "nslookup", "timeout", "trap", "wc", "awk", "sed", "od", "tee", "free", "nproc", "usleep", "yes", "uname",
    "whoami",
)  # fmt: skip
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def build(target: Path, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    # Fetched by apt and unpacked, not installed: the machine itself needs no busybox.
    empty_status = work / "status"
    work.mkdir(parents=True)
    empty_status.touch()
    archives = apt.download_closure(["busybox-static"], empty_status, work / "debs")
    for archive in archives:
        if archive.name.startswith("busybox-static_"):
            run(["dpkg-deb", "-x", str(archive), str(work / "unpacked")])
    program = work / "unpacked/bin/busybox"
    if not program.is_file():
        raise LabError("Debian's busybox-static package holds no busybox program.", "Run apt-get update and try again.")
    write_image(target, program.read_bytes())
    shutil.rmtree(work)


def write_image(target: Path, program: bytes) -> None:
    """One layer, one configuration, one manifest; the same bytes at every call."""
    layer = _layer(program)
    layer_id = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "created": "2024-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/bin:/usr/bin:/sbin:/usr/sbin"], "Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_id}"]},
            "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "npufleet lab"}],
        }
    ).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps(
        [{"Config": config_name, "RepoTags": [IMAGE_NAME], "Layers": [f"{layer_id}/layer.tar"]}]
    ).encode()
    with tarfile.open(target, "w") as tar:
        for name, data in ((config_name, config), (f"{layer_id}/layer.tar", layer), ("manifest.json", manifest)):
            _add(tar, name, data, 0o644)


def _layer(program: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("bin", "etc", "tmp", "root", "proc", "sys", "dev", "home", "mnt", "usr", "usr/local"):
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(info)
        _add(tar, "bin/busybox", program, 0o755)
        for applet in _APPLETS:
            info = tarfile.TarInfo(f"bin/{applet}")
            info.type, info.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(info)
        _add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nma-user:x:1000:100:ma-user:/home:/bin/sh\n", 0o644)
        _add(tar, "etc/group", b"root:x:0:\nma-group:x:100:\n", 0o644)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    tar.addfile(info, io.BytesIO(data))
