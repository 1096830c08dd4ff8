#!/usr/bin/python
"""Ansible module: install or remove packages in one transaction that touches neither kernel nor driver."""

from __future__ import annotations

DOCUMENTATION = r"""
module: npufleet_packages
short_description: Packages, without side effects
description:
  - Installs packages with the node's own apt-get, dnf or yum, from its own repositories, one repository, or a folder of
    package files, and never takes in, upgrades or removes what O(excludes) names. Needs no Python binding of the
    package manager, which a newer interpreter beside the system's own does not have.
  - A transaction that was cut off is finished by the next run, for O(journal) tells that there was one.
options:
  state:
    description: Have them, or have them removed.
    type: str
    choices: [present, absent]
    default: present
  manager:
    description: The kind of packages.
    type: str
    choices: [apt, dnf]
    required: true
  names:
    description: The packages.
    type: list
    elements: str
    required: true
  excludes:
    description: Globs of package names that must stay as they are.
    type: list
    elements: str
    default: []
  folder:
    description: A folder on the node with package files or a repository.
    type: path
    default: ''
  folder_goes:
    description: Remove O(folder) at the end, whatever the end is.
    type: bool
    default: false
  url:
    description: A repository; empty means the node's own.
    type: str
    default: ''
  suite:
    description: APT only, the suite.
    type: str
    default: ./
  components:
    description: APT only, the components.
    type: list
    elements: str
    default: []
  key:
    description: The repository's key; empty means that signatures are not checked.
    type: str
    default: ''
  only:
    description: Look nowhere else.
    type: bool
    default: true
  lock_timeout_s:
    description: Seconds to wait for another program that holds the package manager's lock.
    type: int
    default: 120
  journal:
    description: A file that is there while a transaction is under way, with what was installed before it.
    type: path
    required: true
  prefix:
    description: The role whose inputs a remedy names.
    type: str
    required: true
author: npufleet
"""

EXAMPLES = r"""
- name: Install the engine
  npufleet_packages:
    manager: apt
    names: [docker.io]
    excludes: ["linux-image*"]
    url: http://10.0.0.5/debian
    journal: /var/lib/npufleet/found/docker-packages.json
    prefix: docker
"""

RETURN = r"""
added:
  description: Packages that are there now and were not before, by the package manager's names.
  returned: on success
  type: list
"""

import json  # noqa: E402  # the documentation comes first by convention
import os  # noqa: E402  # likewise
import shutil  # noqa: E402  # likewise
import tempfile  # noqa: E402  # likewise
from typing import Any  # noqa: E402  # likewise

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  # likewise
from ansible.module_utils.npufleet import apt, dnf, locks  # noqa: E402  # likewise
from ansible.module_utils.npufleet.package_errors import PackageError, held  # noqa: E402  # likewise
from ansible.module_utils.npufleet.run import read  # noqa: E402  # likewise

MANAGERS: dict[str, Any] = {"apt": (apt.Apt, apt.LOCKS), "dnf": (dnf.Dnf, dnf.LOCKS)}
STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "manager": {"type": "str", "choices": sorted(MANAGERS), "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "excludes": STRINGS,
    "folder": {"type": "path", "default": ""},
    "folder_goes": {"type": "bool", "default": False},
    "url": {"type": "str", "default": ""},
    "suite": {"type": "str", "default": "./"},
    "components": STRINGS,
    "key": {"type": "str", "default": "", "no_log": False},
    "only": {"type": "bool", "default": True},
    "lock_timeout_s": {"type": "int", "default": 120},
    "journal": {"type": "path", "required": True},
    "prefix": {"type": "str", "required": True},
}


class Journal:
    """What was installed before the transaction; there from its beginning until its result is remembered."""

    def __init__(self, path: str) -> None:
        self.path = path

    def before(self) -> list[str] | None:
        try:
            return list(json.loads(read(self.path, "null"))["before"])
        except (TypeError, ValueError, KeyError):
            return None

    def begin(self, installed: list[str]) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w", encoding="utf-8") as stream:
            json.dump({"before": installed}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(self.path + ".new", self.path)

    def end(self) -> None:
        if os.path.exists(self.path):
            os.unlink(self.path)


def transact(wanted: dict[str, Any], work: str) -> dict[str, Any]:
    kind, lock_files = MANAGERS[wanted["manager"]]
    manager, journal = kind(wanted, work), Journal(wanted["journal"])
    holder = locks.wait_free(lock_files, wanted["lock_timeout_s"])
    if holder:
        raise PackageError(held(holder, wanted["lock_timeout_s"], wanted["prefix"]))
    return (have if wanted["state"] == "present" else drop)(manager, journal, wanted["names"])


def have(manager: Any, journal: Journal, names: list[str]) -> dict[str, Any]:
    unfinished = journal.before()
    before = unfinished if unfinished is not None else manager.installed()
    # What somebody else left half done is theirs to mend.
    half_done = manager.interrupted()
    mend = half_done and unfinished is not None
    if manager.satisfied(names) and not mend:
        return {"changed": unfinished is not None, "added": difference(manager.installed(), before)}
    journal.begin(before)
    try:
        manager.install(names, mend=mend)
    except PackageError:
        # What left the node as it was needs no repair.
        if manager.installed() == before and manager.interrupted() <= (half_done and not mend):
            journal.end()
        raise
    return {"changed": True, "added": difference(manager.installed(), before)}


def drop(manager: Any, journal: Journal, names: list[str]) -> dict[str, Any]:
    """Also what an unfinished transaction brought that nobody has put down as ours yet."""
    unfinished, installed = journal.before(), manager.installed()
    ours = set(names) | set(difference(installed, unfinished) if unfinished is not None else ())
    there = [name for name in installed if name in ours]
    if there:
        manager.remove(there)
    journal.end()
    return {"changed": bool(there), "added": []}


def difference(now: list[str], before: list[str]) -> list[str]:
    return sorted(set(now) - set(before))


def deed(wanted: dict[str, Any]) -> str:
    if wanted["state"] == "absent":
        return "removed"
    return f"installed from {wanted['folder'] or wanted['url'] or 'the repositories of the node'}"


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if module.check_mode:
        # The repository is not asked in a rehearsal: that alone would write on the node.
        module.exit_json(changed=True, added=[])
    work = ""
    try:
        work = tempfile.mkdtemp(prefix="npufleet-packages-", dir="/run")
        result = transact(module.params, work)
    except PackageError as error:
        module.fail_json(msg=f"{' '.join(module.params['names'])} cannot be {deed(module.params)}: {error}")
    except OSError as error:
        module.fail_json(
            msg=f"{' '.join(module.params['names'])}: {error.filename or work} cannot be written: {error.strerror}. "
            "Free some space or mend the disk (df -h, dmesg), and run this again."
        )
    finally:
        for path in (work, module.params["folder"] if module.params["folder_goes"] else ""):
            if path:
                shutil.rmtree(path, ignore_errors=True)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
