"""Whether ssh knows the key of a host: its files as they are, hashed names included."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")
_UNCHECKED = re.compile(r"StrictHostKeyChecking[= ](no|off|accept-new)\b", re.IGNORECASE)
_FILES = re.compile(r"UserKnownHostsFile[= ](\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """Where ssh is to go, and with which arguments of the inventory."""

    address: str
    port: str = "22"
    arguments: str = ""

    @property
    def name(self) -> str:
        """As known_hosts writes it."""
        return self.address if self.port == "22" else f"[{self.address}]:{self.port}"


def unknown(targets: Mapping[str, Target]) -> list[str]:
    """The nodes whose host key is in none of the files that ssh would look into; in their order."""
    books: dict[tuple[str, ...], _Book] = {}
    found = []
    for node, target in targets.items():
        if _UNCHECKED.search(target.arguments):
            continue
        files = _files(target.arguments)
        book = books.setdefault(files, _Book(files))
        if not book.knows(target.name):
            found.append(node)
    return found


def _files(arguments: str) -> tuple[str, ...]:
    named = [match[1] for word in _words(arguments) if (match := _FILES.fullmatch(word))]
    return tuple(named) or DEFAULT_FILES


def _words(arguments: str) -> list[str]:
    try:
        words = shlex.split(arguments)
    except ValueError:
        return []
    return [word.removeprefix("-o") for word in words]


class _Book:
    def __init__(self, files: tuple[str, ...]) -> None:
        self._plain: set[str] = set()
        self._patterns: list[str] = []
        self._hashed: list[tuple[bytes, bytes]] = []
        for name in files:
            path = Path(name).expanduser()
            text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
            for line in text.splitlines():
                self._add(line.split())

    def _add(self, words: list[str]) -> None:
        if len(words) < 3 or words[0].startswith(("#", "@revoked")):
            return
        for name in words[1 if words[0].startswith("@") else 0].split(","):
            if name.startswith("|1|"):
                salt, digest = name.split("|")[2:4]
                self._hashed.append((base64.b64decode(salt), base64.b64decode(digest)))
            elif "*" in name or "?" in name:
                self._patterns.append(name)
            else:
                self._plain.add(name)

    def knows(self, name: str) -> bool:
        if name in self._plain or any(fnmatch.fnmatch(name, pattern) for pattern in self._patterns):
            return True
        text = name.encode()
        return any(hmac.digest(salt, text, hashlib.sha1) == digest for salt, digest in self._hashed)
