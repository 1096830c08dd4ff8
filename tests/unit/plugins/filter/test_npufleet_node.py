"""Why a node could not be read, with what to do."""

from __future__ import annotations

import pytest

from unit.plugins.loading import load

explain = load("filter/npufleet_node.py").npufleet_reading_failure
TOO_OLD = "ansible-core requires a minimum of Python version 3.8. Current version: 3.7.9 (default)"


@pytest.mark.parametrize(
    ("said", "cause", "remedy"),
    [
        ("Task failed: Incorrect sudo password", "sudo refuses the password that was given for the user ops", "vault"),
        ("Task failed: Missing sudo password", "none was given", "--ask-become-pass"),
        ("ops is not in the sudoers file.", "may not use sudo", "/etc/sudoers.d"),
        ("OSError: [Errno 28] No space left on device", "its disk is full", "Free some space"),
        (TOO_OLD, "its Python is 3.7.9, and Ansible needs 3.8 or newer there", "Install a newer one beside it"),
        ("/bin/sh: 1: /opt/python: not found", "is not there or does not work", "ansible_python_interpreter"),
        ("something odd happened", "something odd happened", "-vvv"),
    ],
)
def test_each_has_cause_and_remedy(said: str, cause: str, remedy: str) -> None:
    told = explain({"msg": said}, [], "ops")
    assert cause in told
    assert remedy in told


def test_an_interpreter_that_would_do_is_named() -> None:
    pythons = ["3.7.9 /usr/bin/python3", "3.9.9 /usr/bin/python3.9", "3.11.2 /usr/local/bin/python3.11", "noise"]
    told = explain({"msg": TOO_OLD}, pythons)
    assert "The node has /usr/local/bin/python3.11 (3.11.2): name it in ansible_python_interpreter" in told


def test_one_that_is_too_old_as_well_is_not_offered() -> None:
    assert "Install a newer one" in explain({"msg": TOO_OLD}, ["3.7.9 /usr/bin/python3", "3.6.8 /usr/bin/python3.6"])


def test_a_module_that_failed_without_words_is_told_by_its_last_line() -> None:
    failed = {"msg": "MODULE FAILURE", "module_stderr": "Traceback ...\nRuntimeError: boom"}
    assert "Traceback" not in explain(failed)
