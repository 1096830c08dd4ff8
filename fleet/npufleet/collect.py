"""Packs what was collected from the nodes into one file with an index, nodes that gave nothing included."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from npufleet import playbook_result
from npufleet.errors import UsageError
from npufleet.playbook_events import NodeRun
from npufleet.playbook_story import Story
from npufleet.result import Message, Result

SCHEMA = "npufleet-collect/v1"


@dataclass(frozen=True)
class Bundle:
    """`loose` is where the playbook puts each node's files; `to` is the archive that takes their place."""

    loose: Path
    to: Path

    def conclude(self, story: Story) -> Result:
        base = playbook_result.conclude(story)
        index = [self._entry(node) for node in story.nodes]
        if not any(entry["files"] for entry in index):
            return base
        try:
            self._pack(index)
        except OSError as error:
            raise UsageError(
                f"The bundle {self.to} cannot be written: {error.strerror}. What was collected is in {self.loose}.",
                code="bundle-not-written",
                remedy="Give --output a file in a folder that you may write to and that has room.",
            ) from None
        shutil.rmtree(self.loose)
        message = Message("info", f"bundle: {playbook_result.nearby(self.to)}")
        return replace(
            base, data=base.data | {"bundle": str(self.to), "index": index}, messages=(*base.messages, message)
        )

    def _entry(self, node: NodeRun) -> dict[str, Any]:
        folder = self.loose / node.name
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {
            "node": node.name,
            "state": node.state,
            "message": node.message,
            "files": [{"name": str(path.relative_to(folder)), "bytes": path.stat().st_size} for path in files],
        }

    def _pack(self, index: list[dict[str, Any]]) -> None:
        """Whole or not at all, and for nobody else's eyes."""
        self.to.parent.mkdir(parents=True, exist_ok=True)
        new = self.to.with_name(self.to.name + ".new")
        top = self.to.name.removesuffix(".tar.gz")
        new.touch(mode=0o600)
        with tarfile.open(new, "w:gz") as archive:
            _add(archive, f"{top}/index.json", json.dumps(_document(index), indent=2) + "\n")
            _add(archive, f"{top}/INDEX.md", "\n".join(_readable(index)) + "\n")
            for entry in index:
                for file in entry["files"]:
                    name = f"{entry['node']}/{file['name']}"
                    archive.add(self.loose / name, f"{top}/{name}", filter=_anonymous)
        new.replace(self.to)


def _document(index: list[dict[str, Any]]) -> dict[str, Any]:
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return {"schema": SCHEMA, "npufleet": version("npufleet"), "made": made, "nodes": index}


def _readable(index: list[dict[str, Any]]) -> Iterator[str]:
    yield "# What is in this bundle"
    yield ""
    yield "Passwords, tokens, keys and the environment of containers were taken out on the nodes."
    for entry in index:
        yield f"\n## {entry['node']}: {entry['state']}\n"
        if entry["message"]:
            yield entry["message"] + "\n"
        yield from (f"- {file['name']} ({file['bytes']} bytes)" for file in entry["files"])


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    about = tarfile.TarInfo(name)
    about.size, about.mode, about.mtime = len(content), 0o600, int(datetime.now(UTC).timestamp())
    archive.addfile(about, io.BytesIO(content))


def _anonymous(about: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who collected is nobody's business who reads."""
    about.uid = about.gid = 0
    about.uname = about.gname = "root"
    return about
