"""Why a node could not be read: one sentence with the cause and one with the remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

OLDEST_PYTHON = (3, 8)
PASSWORD = "Give it with --ask-become-pass, or as ansible_become_password in a vault."  # noqa: S105  # a sentence
INTERPRETER = "name it in ansible_python_interpreter for this node."


def npufleet_reading_failure(failed: Mapping[str, Any], pythons: Sequence[str] = (), user: str = "") -> str:
    """`pythons` are lines `3.11.2 /usr/bin/python3.11`, as far as the node could be asked."""
    said = " ".join(str(failed.get(key) or "") for key in ("msg", "module_stderr", "module_stdout", "exception"))
    who = f"the user {user}" if user else "the user who logs in"
    if "Incorrect sudo password" in said:
        return f"sudo refuses the password that was given for {who}. {PASSWORD}"
    if "Missing sudo password" in said or "a password is required" in said:
        return f"sudo asks {who} for a password, and none was given. {PASSWORD}"
    if "not in the sudoers file" in said or "may not run" in said:
        return f"{who} may not use sudo. Add a rule to /etc/sudoers.d on the node, or log in as root."
    if "No space left on device" in said:
        return "its disk is full. Free some space on the node (df -h shows where it is gone) and run this again."
    if re.search(r"minimum of Python version|SyntaxError|No module named|not found|No such file", said):
        return python_failure(said, pythons)
    return f"{last_words(failed)}. Run this again with -vvv to see more."


def python_failure(said: str, pythons: Sequence[str]) -> str:
    current = re.search(r"Current version: (\d+\.\d+\.\d+)", said)
    cause = (
        f"its Python is {current.group(1)}, and Ansible needs 3.8 or newer there. "
        if current
        else "the Python that the inventory names is not there or does not work. "
    )
    found = dict(line.split(" ", 1)[::-1] for line in pythons if re.match(r"\d+\.\d+\.\d+ /", line))
    fit = {path: version for path, version in found.items() if version_of(version) >= OLDEST_PYTHON}
    if fit:
        path = max(fit, key=lambda name: version_of(fit[name]))
        return f"{cause}The node has {path} ({fit[path]}): {INTERPRETER}"
    return f"{cause}Install a newer one beside it (the system's own must stay as it is) and {INTERPRETER}"


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


def last_words(failed: Mapping[str, Any]) -> str:
    lines = [line.strip() for key in ("module_stderr", "msg") for line in str(failed.get(key) or "").splitlines()]
    told = [line for line in lines if line]
    return (told[-1] if told else "it gave no reason").rstrip(".")


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"npufleet_reading_failure": npufleet_reading_failure}
