#!/usr/bin/python
"""Ansible module: put several files, folders and links in place, or take them away, in one go."""

from __future__ import annotations

DOCUMENTATION = r"""
module: npufleet_files
short_description: Several files at once
description:
  - Writes, links and removes a role's files on a node in one round trip. Parents are made as they are needed, so that
    check mode also works where nothing is there yet, and remembered, so that C(remove) can take them away. A file is
    replaced in one step, never half written.
options:
  folders:
    description: Folders, each with O(folders[].path) and O(folders[].mode).
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Where., type: path, required: true}
      mode: {description: Octal mode., type: str, default: '0755'}
  files:
    description: Files, each with its whole content.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Where., type: path, required: true}
      content: {description: The whole text., type: str, required: true}
      mode: {description: Octal mode., type: str, default: '0644'}
      validate: {description: A command that must accept the new file; %s stands for it., type: str, default: ''}
  links:
    description: Symbolic links, switched in one step.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Where., type: path, required: true}
      target: {description: What it points to., type: str, required: true}
  absent:
    description: Files, links and folders that must not be there; a folder goes with what it holds.
    type: list
    elements: path
    default: []
  absent_if_alone:
    description: Files that go when nothing else is left in their folder.
    type: list
    elements: path
    default: []
  absent_if_empty:
    description: Folders that go when nothing is left in them, in this order.
    type: list
    elements: path
    default: []
author: npufleet
"""

EXAMPLES = r"""
- name: Write two files
  npufleet_files:
    files:
      - {path: /etc/npufleet/a.json, content: "{}\n"}
      - {path: /etc/npufleet/b.json, content: "{}\n", mode: "0600"}
"""

RETURN = r"""
paths:
  description: What was (or, in check mode, would be) changed.
  returned: always
  type: list
"""

import json  # noqa: E402  # the documentation comes first by convention
import os  # noqa: E402  # likewise
import shutil  # noqa: E402  # likewise
import tempfile  # noqa: E402  # likewise
from typing import Any  # noqa: E402  # likewise

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  # likewise
from ansible.module_utils.npufleet.files import describe, digest_text  # noqa: E402  # likewise
from ansible.module_utils.npufleet.run import read, run  # noqa: E402  # likewise

# Folders that were made because something had to lie in them.
FOLDERS = "/var/lib/npufleet/found/folders.json"
PATH = {"type": "path", "required": True}
MODE = {"type": "str", "default": "0644"}
ARGUMENTS = {
    "folders": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"path": PATH, "mode": dict(MODE, default="0755")},
    },
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": PATH,
            "content": {"type": "str", "required": True},
            "mode": MODE,
            "validate": {"type": "str", "default": ""},
        },
    },
    "links": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"path": PATH, "target": {"type": "str", "required": True}},
    },
    "absent": {"type": "list", "elements": "path", "default": []},
    "absent_if_alone": {"type": "list", "elements": "path", "default": []},
    "absent_if_empty": {"type": "list", "elements": "path", "default": []},
}


class RefusedError(Exception):
    """A new file was not accepted; the old one stays."""


class Node:
    """The file system, changed only when this is not a rehearsal."""

    def __init__(self, rehearse: bool) -> None:
        self.rehearse = rehearse
        self.paths: list[str] = []
        self.diff: list[dict[str, str]] = []
        self.made: list[str] = []

    def parents(self, path: str) -> None:
        folder = os.path.dirname(path)
        while folder and not os.path.isdir(folder):
            self.made.append(folder)
            folder = os.path.dirname(folder)
        os.makedirs(os.path.dirname(path), exist_ok=True)

    def folder(self, path: str, mode: str) -> None:
        found = look(path)
        if found and found["kind"] == "directory" and found["mode"] == mode:
            return
        self.paths.append(path)
        if not self.rehearse:
            self.parents(path)
            os.makedirs(path, exist_ok=True)
            os.chmod(path, int(mode, 8))

    def file(self, path: str, content: str, mode: str, validate: str) -> None:
        found = look(path)
        wanted = {"kind": "file", "sha256": digest_text(content), "mode": mode, "uid": os.geteuid()}
        if found and all(found.get(key) == value for key, value in wanted.items()):
            return
        self.paths.append(path)
        self.diff.append(
            {"before": read(path), "after": content, "before_header": path, "after_header": path}
            if int(mode, 8) & 0o044
            else {"prepared": f"{path} differs; it is not for every eye\n"}
        )
        if not self.rehearse:
            self.parents(path)
            replace(path, content, int(mode, 8), validate)

    def link(self, path: str, target: str) -> None:
        found = look(path)
        if found and found["kind"] == "link" and found["target"] == target:
            return
        self.paths.append(path)
        if not self.rehearse:
            self.parents(path)
            if os.path.lexists(path + ".new"):
                os.unlink(path + ".new")
            os.symlink(target, path + ".new")
            os.replace(path + ".new", path)

    def absent(self, path: str) -> None:
        found = look(path)
        if found is None:
            return
        self.paths.append(path)
        if not self.rehearse:
            if found["kind"] == "directory":
                shutil.rmtree(path)
            else:
                os.unlink(path)

    def absent_if_alone(self, path: str) -> None:
        if os.path.isfile(path) and os.listdir(os.path.dirname(path)) == [os.path.basename(path)]:
            self.absent(path)

    def absent_if_empty(self, path: str) -> None:
        if os.path.isdir(path) and not os.path.islink(path) and not os.listdir(path):
            self.paths.append(path)
            if not self.rehearse:
                os.rmdir(path)


def remember(made: list[str], where: str = FOLDERS) -> None:
    """Add to the folders that `remove` takes away when nothing is left in them; /run is empty after a boot anyhow."""
    kept = {folder for folder in made if not folder.startswith("/run/")}
    if kept:
        known = json.loads(read(where, "[]"))
        os.makedirs(os.path.dirname(where), exist_ok=True)
        replace(where, json.dumps(sorted(kept.union(known))) + "\n", 0o644, "")


def look(path: str) -> dict[str, Any] | None:
    return describe(path) if os.path.lexists(path) else None


def replace(path: str, content: str, mode: int, validate: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".npufleet-")
    try:
        write_out(handle, content, path)
        os.chmod(temporary, mode)
        if validate:
            done = run("/bin/sh", "-c", validate.replace("%s", temporary), timeout=60)
            if done.code != 0:
                raise RefusedError(f"the new {path} was refused and is not in place: {(done.err or done.out).strip()}")
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def write_out(handle: int, content: str, path: str) -> None:
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        # A write that fails, as on a full disk, does not say where.
        raise OSError(error.errno, error.strerror, path) from error


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wanted = module.params
    node = Node(module.check_mode)
    try:
        for item in wanted["folders"]:
            node.folder(item["path"], item["mode"])
        for item in wanted["files"]:
            node.file(item["path"], item["content"], item["mode"], item["validate"])
        for item in wanted["links"]:
            node.link(item["path"], item["target"])
        for path in wanted["absent"]:
            node.absent(path)
        for path in wanted["absent_if_alone"]:
            node.absent_if_alone(path)
        for path in wanted["absent_if_empty"]:
            node.absent_if_empty(path)
        remember(node.made)
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename} cannot be changed: {error.strerror}. It is as it was, and what comes after it too. "
            "Mend that (df -h and mount show disks that are full or read-only) and run this again.",
            paths=node.paths,
        )
    except RefusedError as error:
        module.fail_json(msg=str(error), paths=node.paths)
    module.exit_json(changed=bool(node.paths), paths=node.paths, diff=node.diff)


if __name__ == "__main__":
    main()
