"""Small files that a spec carries, such as a rank table: written as root, mounted read-only, gone with the workload."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from npu_agent import engine

# Readable by whatever user the image runs as; the folders above are root's alone, and a mount does not ask them.
_MODE = 0o644


class FilesError(engine.RefusedError):
    """The files of a workload cannot be written."""


class Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Write what the spec says. A file is replaced, not changed: a container that runs keeps the one it has."""
        for index, wanted in enumerate(document.get("files") or ()):
            path = path_of(self._folder, name, index)
            try:
                self._write(path, str(wanted["text"]))
            except OSError as error:
                raise FilesError(f"{path} cannot be written: {error.strerror}") from error

    @staticmethod
    def _write(path: Path, text: str) -> None:
        content = text.encode()
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        with new.open("wb") as stream:
            os.fchmod(stream.fileno(), _MODE)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)

    def remove(self, name: str) -> None:
        shutil.rmtree(self._folder / name, ignore_errors=True)


def path_of(folder: Path, name: str, index: int) -> Path:
    """By number: what a file is called inside the container is the spec's word, and no part of a path here."""
    return folder / name / str(index)
