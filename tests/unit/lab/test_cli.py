"""The lab's command line: what it refuses before it touches anything."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from typer.testing import CliRunner

from npufleet_lab.cli import _of_the_system, app


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["up", "--chip", "910Z"], "There is no chip family called '910Z'."),
        (["up", "--os", "plan9"], "There is no node system called 'plan9'."),
        (["up", "--driver", "new"], "'new' is no driver version."),
    ],
)
def test_a_bad_request_ends_with_a_sentence_and_a_usage_status(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_the_help_of_fault_lists_every_fault_with_its_choices() -> None:
    help_text = " ".join(CliRunner().invoke(app, ["fault", "--help"]).stdout.split())
    for words in ("drop-card 5", "[truncated|binary|empty]", "heal [npu=3]", "not-ready"):
        assert words in help_text


def test_what_the_system_refuses_is_a_sentence_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A folder whose name is that of a file cannot be looked into.
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("NPUFLEET_LAB_HOME", str(tmp_path / "home" / "lab"))
    result = CliRunner().invoke(app, ["up", "-n", "1"])
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("npufleet lab: ")


def test_a_full_disk_is_called_that() -> None:
    assert "The disk is full" in _of_the_system(OSError(errno.ENOSPC, "No space left on device"))
