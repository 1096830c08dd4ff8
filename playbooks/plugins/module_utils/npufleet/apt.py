"""Debian packages for one transaction: from the node's own sources, one repository, or a folder of files."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from typing import Any, Mapping

from ansible.module_utils.npufleet.package_errors import PackageError, describe, excluded
from ansible.module_utils.npufleet.run import Done, run

LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock")
INDEXES = ("Packages", "Packages.gz", "Packages.xz", "Release", "InRelease", "dists")
TIMEOUT_S = 1800


class Apt:
    """`work` is a folder of this transaction's own; nothing outside of it tells apt where to look."""

    def __init__(self, wanted: Mapping[str, Any], work: str) -> None:
        self.wanted = wanted
        self.work = work
        self.config = os.path.join(work, "apt.conf")

    def installed(self) -> list[str]:
        done = run("dpkg-query", "--show", "--showformat=${db:Status-Status} ${binary:Package}\n", timeout=60)
        return [line.split()[1] for line in done.out.splitlines() if line.startswith("installed ")]

    def satisfied(self, names: list[str]) -> bool:
        bare = {name.split(":")[0] for name in self.installed()}
        return set(names) <= bare

    def interrupted(self) -> bool:
        left = [path for path in glob.glob("/var/lib/dpkg/updates/*") if os.path.basename(path).isdigit()]
        return bool(left or run("dpkg", "--audit", timeout=60).out.strip())

    def install(self, names: list[str], mend: bool = False) -> None:
        """With `mend`, finish an interrupted transaction first; where its packages lack others, apt brings those."""
        self._configure()
        if mend:
            run("dpkg", "--configure", "-a", timeout=TIMEOUT_S, extra=self._environment())
        words = ("--fix-broken", *names) if mend else tuple(names)
        update = self._apt(
            "update", "-o", f"APT::Update::Error-Mode={'any' if self._source() else 'persistent-failure'}"
        )
        if update.code != 0 and self._source():
            self._must(update)
        self._refuse_side_effects(self._must(self._apt("install", "--dry-run", *words), update).out)
        self._must(self._apt("install", *words))

    def remove(self, names: list[str]) -> None:
        # Not purged: Debian's engine would take /var/lib/docker with it.
        self._must(run("apt-get", "-y", "-q", "remove", *names, timeout=TIMEOUT_S, extra=self._environment()))

    def _refuse_side_effects(self, plan: str) -> None:
        """A pin cannot forbid everything: what apt would really do is read before it does it."""
        for verb, name in re.findall(r"^(Inst|Remv) (\S+)", plan, re.MULTILINE):
            if excluded(name, self.wanted["excludes"]):
                raise PackageError(describe(f"requires {name}", self.wanted["excludes"], self.wanted["prefix"]))
            if verb == "Remv":
                raise PackageError(
                    f"it would remove {name}, which is on the node. "
                    f"Remove it by hand if it is not needed, or choose other {self.wanted['prefix']}_packages."
                )

    def _apt(self, *words: str) -> Done:
        options = ("-y", "-q", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold")
        waiting = ("-o", f"DPkg::Lock::Timeout={self.wanted['lock_timeout_s']}")
        return run("apt-get", *options, *waiting, *words, timeout=TIMEOUT_S, extra=self._environment())

    def _environment(self) -> dict[str, str]:
        # needrestart, which Ubuntu runs after apt, would restart the services under running containers.
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "NEEDRESTART_MODE": "l"}
        return dict(quiet, APT_CONFIG=self.config) if os.path.exists(self.config) else quiet

    def _must(self, done: Done, before: Done | None = None) -> Done:
        if done.code != 0:
            said = (before.err if before else "") + done.out + done.err
            raise PackageError(describe(said, self.wanted["excludes"], self.wanted["prefix"]))
        return done

    def _source(self) -> str:
        return self.wanted["folder"] or self.wanted["url"]

    def _configure(self) -> None:
        pins = f"Package: {' '.join(self.wanted['excludes'])}\nPin: version *\nPin-Priority: -1\n"
        write(os.path.join(self.work, "preferences"), pins if self.wanted["excludes"] else "")
        lines = [f'Dir::Etc::preferences "{self.work}/preferences";']
        if self._source():
            os.makedirs(os.path.join(self.work, "lists/partial"), exist_ok=True)
            lines += [
                f'Dir::Etc::sourcelist "{self.work}/sources.list";',
                f'Dir::State::lists "{self.work}/lists";',
                'Dir::Cache::pkgcache "";',
                'Dir::Cache::srcpkgcache "";',
                'APT::Sandbox::User "root";',
            ]
            lines += ['Dir::Etc::sourceparts "-";'] if self.wanted["only"] else []
            write(os.path.join(self.work, "sources.list"), self._sources())
        write(self.config, "\n".join(lines) + "\n")

    def _sources(self) -> str:
        """The repository's line, and the node's own list after it where that may be asked too."""
        own = "" if self.wanted["only"] else read_own_sources()
        folder = local_folder(self.wanted)
        if folder:
            if not os.path.isdir(folder):
                raise PackageError(f"{folder} is not a folder on the node. Put the packages there and run this again.")
            if not any(os.path.exists(os.path.join(folder, name)) for name in INDEXES):
                return f"deb [trusted=yes] file:{index(folder, self.work)} ./\n{own}"
        trust = f"signed-by={self.wanted['key']}" if self.wanted["key"] else "trusted=yes"
        url = f"file:{folder}" if folder else self.wanted["url"]
        words = ["deb", f"[{trust}]", url, self.wanted["suite"], *self.wanted["components"]]
        return " ".join(words) + f"\n{own}"


def local_folder(wanted: Mapping[str, Any]) -> str:
    """The folder on the node that is meant, or nothing where it is a server."""
    url = str(wanted["url"])
    return str(wanted["folder"]) or (url[len("file://") :] if url.startswith("file://") else "")


def read_own_sources() -> str:
    try:
        with open("/etc/apt/sources.list", encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def index(folder: str, work: str) -> str:
    """Make a repository of a plain folder of files, beside it; returns where it is."""
    place = os.path.join(work, "indexed")
    os.makedirs(place, exist_ok=True)
    stanzas = []
    for path in sorted(glob.glob(os.path.join(folder, "*.deb"))):
        control = run("dpkg-deb", "--field", path, timeout=60)
        if control.code != 0:
            raise PackageError(f"{path} is no Debian package ({control.err.strip()}). Fetch it again.")
        name = os.path.basename(path)
        os.symlink(path, os.path.join(place, name))
        facts = f"Filename: ./{name}\nSize: {os.path.getsize(path)}\nSHA256: {digest(path)}\n"
        stanzas.append(control.out.rstrip("\n") + "\n" + facts)
    if not stanzas:
        raise PackageError(f"{folder} holds no .deb file. Put the packages there and run this again.")
    write(os.path.join(place, "Packages"), "\n".join(stanzas))
    return place


def digest(path: str) -> str:
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1048576), b""):
            total.update(block)
    return total.hexdigest()


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
