"""Turns what a package manager prints into one cause and one remedy."""

from __future__ import annotations

import fnmatch
import re
from typing import Any, Mapping, Sequence


class PackageError(Exception):
    """One sentence with the cause, one with the remedy."""


# What a line of output shows, what that means, and what to do; the first that matches counts.
KINDS = (
    (
        r"no space left on device|failed writing received data|enough free space|more space needed|insufficient space",
        "the disk is full",
        "Free some space on the node (df -h shows where it is gone) and run this again.",
    ),
    (
        r"could not get lock|unable to (?:lock|acquire)|can't create transaction lock|existing lock|already locked",
        "another program holds the package manager's lock",
        "Wait for it to end, or stop it, and run this again.",
    ),
    (
        r"dpkg was interrupted",
        "an earlier installation was interrupted",
        "Run `dpkg --configure -a` on the node, then this again.",
    ),
    (
        r"no_pubkey|not signed|gpg check failed|public key for .* is not installed|signatures? (?:couldn't|could not)",
        "the repository's signature is not known",
        "Name the repository's key in {prefix}_repository_key and run this again.",
    ),
    (
        (
            r"failed to (?:fetch|download)|cannot download|could not (?:connect|resolve)|curl error|hash sum|not found"
            r"|release file|no such file"
        ),
        "the repository does not work",
        "Try it from the node (curl -I), mend it or correct {prefix}_repository_url, and run this again.",
    ),
    (
        r"unable to locate package|no installation candidate|no match for argument|unable to find a match",
        "the repository does not have it",
        "Name what it calls the package in {prefix}_packages, or choose another repository.",
    ),
)
# What apt and dnf print where a package is needed that the excludes keep back.
NEEDED = (
    r"(?:Depends|PreDepends|Breaks): (?P<name>[\w.+-]+)",
    r"nothing provides (?P<name>[\w.+-]+)",
    r"requires (?P<name>[\w.+-]+)",
    r"package (?P<name>[\w.+-]+?)-\d\S* .*filtered out",
    r"filtered out by exclude filtering for argument: (?P<name>[\w.+-]+)",
)


def describe(output: str, excludes: Sequence[str], prefix: str) -> str:
    """Cause and remedy as two sentences."""
    kept_back = needed_but_kept_back(output, excludes)
    if kept_back:
        return (
            f"it needs {kept_back}, and {prefix}_package_excludes keeps kernel and driver as they are. "
            "Choose packages that fit the running kernel and driver, or upgrade those in a maintenance window first."
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for pattern, cause, remedy in KINDS:
        said = [line for line in lines if re.search(pattern, line, re.IGNORECASE)]
        if said:
            return f"{cause} ({shorten(said[0])}). {remedy.format(prefix=prefix)}"
    last = shorten(lines[-1]) if lines else "it gave no reason"
    return f"{last}. Look at it on the node, and run this again."


def needed_but_kept_back(output: str, excludes: Sequence[str]) -> str | None:
    for pattern in NEEDED:
        for match in re.finditer(pattern, output):
            if excluded(match.group("name"), excludes):
                return match.group("name")
    return None


def excluded(name: str, excludes: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in excludes)


def shorten(line: str) -> str:
    plain = re.sub(r"^(?:E|W|Err|Error|error)(?::\d*)?:?\s+", "", line)
    return (plain if len(plain) <= 200 else plain[:197] + "...").rstrip(" .")


def held(holder: Mapping[str, Any], timeout_s: int, prefix: str) -> str:
    who = f"{holder['name']} (pid {holder['pid']})" if holder["pid"] else "a process outside of this node"
    return (
        f"{who} has held the package manager's lock {holder['path']} for {timeout_s} s ({prefix}_lock_timeout_s). "
        "Wait for it to end, or stop it, and run this again."
    )
