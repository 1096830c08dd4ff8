"""RPM packages for one transaction, with dnf or yum: from the node's repositories, one URL, or a folder of files."""

from __future__ import annotations

import glob
import os
import shutil
from typing import Any, Mapping

from ansible.module_utils.npufleet.apt import local_folder, write
from ansible.module_utils.npufleet.package_errors import PackageError, describe
from ansible.module_utils.npufleet.rpm_folder import choose
from ansible.module_utils.npufleet.run import Done, run, which

LOCKS = ("/var/lib/rpm/.rpm.lock", "/var/cache/dnf/*.pid", "/run/dnf*.pid", "/run/yum.pid")
REPOSITORY = "npufleet"
OWN_REPOSITORIES = "/etc/yum.repos.d"
TIMEOUT_S = 1800


class Dnf:
    """`work` is a folder of this transaction's own; no repository file is put among the node's."""

    def __init__(self, wanted: Mapping[str, Any], work: str) -> None:
        self.wanted = wanted
        self.work = work
        self.program = which("dnf") or which("yum") or "dnf"

    def installed(self) -> list[str]:
        done = run("rpm", "--query", "--all", "--queryformat=%{NAME}.%{ARCH}\n", timeout=60)
        return sorted(done.out.split())

    def satisfied(self, names: list[str]) -> bool:
        return all(run("rpm", "--query", "--whatprovides", name, timeout=60).code == 0 for name in names)

    def interrupted(self) -> bool:
        return run("rpm", "--query", "--all", timeout=60).code != 0

    def install(self, names: list[str], mend: bool = False) -> None:
        if mend:
            run("rpm", "--rebuilddb", timeout=TIMEOUT_S)
        folder = local_folder(self.wanted)
        if folder and not os.path.isdir(folder):
            raise PackageError(f"{folder} is not a folder on the node. Put the packages there and run this again.")
        if folder and not os.path.exists(os.path.join(folder, "repodata/repomd.xml")):
            files = choose(folder, names, self.wanted["excludes"], self.wanted["prefix"])
            self._must(self._dnf(*self._repositories(""), "install", *files))
        else:
            url = f"file://{folder}" if folder else self.wanted["url"]
            self._must(self._dnf(*self._repositories(url), "install", *names))

    def remove(self, names: list[str]) -> None:
        self._must(self._dnf("--disablerepo=*", "--noautoremove", "remove", *names))

    def _dnf(self, *words: str) -> Done:
        options = ["-y", "-q", "--setopt=install_weak_deps=False", "--setopt=exit_on_lock=1"]
        options += [f"--exclude={pattern}" for pattern in self.wanted["excludes"] if "remove" not in words]
        try:
            return run(self.program, *options, *words, timeout=TIMEOUT_S)
        finally:
            self._forget()

    def _forget(self) -> None:
        """What dnf keeps of a repository that it will not see again."""
        for path in glob.glob(f"/var/cache/dnf/{REPOSITORY}-*") + glob.glob(f"/var/cache/dnf/{REPOSITORY}.solv*"):
            if os.path.isdir(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)

    def _repositories(self, url: str) -> list[str]:
        """Where to look: with `only`, nowhere but there."""
        if not self.wanted["url"] and not self.wanted["folder"]:
            return []
        places = [self.work] if self.wanted["only"] else [self.work, OWN_REPOSITORIES]
        if url:
            key = self.wanted["key"]
            trust = f"gpgcheck=1\ngpgkey={key}" if key else "gpgcheck=0"
            lines = (f"[{REPOSITORY}]", "name=npufleet, for one transaction", f"baseurl={url}", "enabled=1", trust)
            text = "\n".join((*lines, "skip_if_unavailable=0", ""))
            write(os.path.join(self.work, f"{REPOSITORY}.repo"), text)
        return ["--setopt=reposdir=" + ",".join(places)]

    def _must(self, done: Done) -> None:
        if done.code != 0:
            raise PackageError(describe(done.out + done.err, self.wanted["excludes"], self.wanted["prefix"]))
