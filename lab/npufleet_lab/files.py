"""A small tar archive in memory: how the lab puts files into a node."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

_MTIME = 1_704_067_200  # always the same, so that pushing the same files again changes nothing


class FileSet:
    """Collects files by absolute path; `archive()` is what the engine's put_archive takes at `/`."""

    def __init__(self) -> None:
        self._members: dict[str, tuple[tarfile.TarInfo, bytes]] = {}

    def add(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        data = content.encode() if isinstance(content, str) else content
        info = tarfile.TarInfo(path.lstrip("/"))
        info.size, info.mode, info.mtime = len(data), mode, _MTIME
        self._members[info.name] = (info, data)

    def add_directory(self, path: str, mode: int = 0o755) -> None:
        info = tarfile.TarInfo(path.strip("/"))
        info.type, info.mode, info.mtime = tarfile.DIRTYPE, mode, _MTIME
        self._members[info.name] = (info, b"")

    def add_link(self, path: str, target: str) -> None:
        info = tarfile.TarInfo(path.lstrip("/"))
        info.type, info.linkname, info.mtime = tarfile.SYMTYPE, target, _MTIME
        self._members[info.name] = (info, b"")

    def add_tree(self, path: str, folder: Path, pattern: str) -> None:
        for source in sorted(folder.glob(pattern)):
            self.add(f"{path}/{source.name}", source.read_bytes())

    def paths(self) -> list[str]:
        return [f"/{name}" for name in self._members]

    def content(self, path: str) -> bytes:
        return self._members[path.lstrip("/")][1]

    def archive(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for info, data in self._members.values():
                tar.addfile(info, io.BytesIO(data))
        return buffer.getvalue()
