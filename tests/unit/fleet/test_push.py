"""A push through a real shell on this machine: only the network between is left out."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from npufleet.errors import UsageError
from npufleet.push import Push, items
from npufleet.push_remote import PART, Shell
from npufleet.result import Exit, Result
from unit.fleet.samples import make_node

# What rsync calls in the place of ssh: it leaves out the host and runs the rest here.
RSH = ["sh", "-c", 'while [ "$1" != rsync ]; do shift; done; exec "$@"', "rsh"]


@dataclass(frozen=True)
class Here(Shell):
    def command(self, line: str) -> list[str]:
        return ["sh", "-c", line]

    def ssh(self) -> list[str]:
        return RSH


@dataclass(frozen=True)
class WithoutRsync(Here):
    def command(self, line: str) -> list[str]:
        return super().command(line.replace("command -v rsync", "false"))


@dataclass(frozen=True)
class Cut(Here):
    """The connection breaks after so many bytes of a file."""

    def command(self, line: str) -> list[str]:
        if "tee -a" not in line:
            return super().command(line)
        return super().command(line.replace("tee -a", "head -c 3000000 >>") + "; exit 255")


def push(source: Path, target: str, shell: type[Shell] = Here) -> Result:
    steps = Push([make_node()], items(source, target), shell=shell).steps()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(os.urandom(5_000_000))
    path.chmod(0o640)
    os.utime(path, (1, 1_700_000_000))
    return path


def sent(result: Result) -> tuple[int, int]:
    node = result.data["nodes"][0]
    return node["bytes_sent"], node["bytes_kept"]


def test_a_file_arrives_whole_with_its_mode_and_time_and_is_not_sent_twice(weights: Path, tmp_path: Path) -> None:
    target = tmp_path / "node/it's here/w.bin"
    assert sent(push(weights, str(target))) == (5_000_000, 0)
    about = target.stat()
    assert target.read_bytes() == weights.read_bytes()
    assert (about.st_mode & 0o777, int(about.st_mtime)) == (0o640, 1_700_000_000)
    assert sent(push(weights, str(target))) == (0, 5_000_000)
    assert list(target.parent.iterdir()) == [target]


def test_a_cut_push_goes_on_where_it_was_cut(weights: Path, tmp_path: Path) -> None:
    target = tmp_path / "node/w.bin"
    cut = push(weights, str(target), Cut)
    assert cut.exit_code == Exit.UNREACHABLE
    assert not target.exists()
    assert Path(f"{target}{PART}").stat().st_size == 3_000_000
    assert sent(push(weights, str(target))) == (2_000_000, 3_000_000)
    assert target.read_bytes() == weights.read_bytes()


def test_a_part_of_another_file_is_not_gone_on_with(weights: Path, tmp_path: Path) -> None:
    target = tmp_path / "w.copy"
    Path(f"{target}{PART}").write_bytes(b"x" * 1000)
    assert sent(push(weights, str(target))) == (5_000_000, 0)
    assert target.read_bytes() == weights.read_bytes()


def test_same_size_is_not_taken_for_the_same_file(weights: Path, tmp_path: Path) -> None:
    target = tmp_path / "w.copy"
    target.write_bytes(b"x" * 5_000_000)
    assert sent(push(weights, str(target))) == (5_000_000, 0)
    assert target.read_bytes() == weights.read_bytes()


def test_a_folder_goes_with_what_is_in_it(tmp_path: Path) -> None:
    source = tmp_path / "code"
    (source / "sub").mkdir(parents=True)
    (source / "a").write_text("a", encoding="utf-8")
    (source / "sub/empty").touch()
    assert push(source, str(tmp_path / "there")).exit_code == Exit.FINE
    assert (tmp_path / "there/a").read_text(encoding="utf-8") == "a"
    assert (tmp_path / "there/sub/empty").is_file()


def test_a_node_that_cannot_take_it_says_why(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = push(weights, str(tmp_path / "file/below/w.bin"))
    assert result.exit_code == Exit.FAILED
    assert "Not a directory" in result.errors[0].message or "File exists" in result.errors[0].message


@pytest.mark.parametrize(("source", "target"), [("weights.bin", "relative"), ("nothing", "/data")])
def test_what_cannot_be_pushed(weights: Path, source: str, target: str) -> None:
    with pytest.raises(UsageError):
        items(weights.parent / source, target)


@dataclass(frozen=True)
class Full(Here):
    """A disk that takes no more: what arrives is not what is kept."""

    def command(self, line: str) -> list[str]:
        return super().command(line.replace("tee -a", "tee -a /dev/full; : "))


def test_a_full_disk_is_no_success(weights: Path, tmp_path: Path) -> None:
    result = push(weights, str(tmp_path / "w.copy"), Full)
    assert result.exit_code == Exit.FAILED
    assert not (tmp_path / "w.copy").exists()


def test_a_slash_at_the_end_is_the_folder(weights: Path) -> None:
    assert items(weights, "/data/")[0].remote == "/data/weights.bin"


def test_ssh_is_told_what_the_inventory_says() -> None:
    node = make_node()
    words = Shell(node).command("true")
    assert words[0] == "ssh"
    assert words[-2:] == ["192.0.2.1", "true"]
    assert "BatchMode=yes" in words


needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not here: make setup")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Many small files, names as people give them, and a large one."""
    source = tmp_path / "code"
    (source / "it's a sub").mkdir(parents=True)
    for index in range(40):
        (source / f"it's a sub/file {index}.py").write_text(f"print({index})\n" * 50, encoding="utf-8")
    (source / "large").write_bytes(os.urandom(5_000_000))
    return source


@needs_rsync
def test_small_files_of_a_folder_go_in_one_run_and_are_not_sent_twice(code: Path, tmp_path: Path) -> None:
    total = sum(path.stat().st_size for path in code.rglob("*") if path.is_file())
    first = push(code, str(tmp_path / "node/there"))
    assert (first.exit_code, sent(first)) == (Exit.FINE, (total, 0))
    for path in code.rglob("*"):
        twin = tmp_path / "node/there" / path.relative_to(code)
        assert not path.is_file() or (twin.read_bytes(), twin.stat().st_mode) == (
            path.read_bytes(),
            path.stat().st_mode,
        )
    assert sent(push(code, str(tmp_path / "node/there"))) == (0, total)
    assert first.data["nodes"][0]["files"] == 41


@pytest.mark.parametrize("shell", [pytest.param(Here, marks=needs_rsync), WithoutRsync])
def test_of_a_file_that_changed_only_that_goes_where_rsync_is(shell: type[Shell], code: Path, tmp_path: Path) -> None:
    target = tmp_path / "w.copy"
    push(code / "large", str(target), shell)
    changed = bytearray((code / "large").read_bytes())
    changed[2_000_000:2_000_010] = b"0123456789"
    (code / "large").write_bytes(changed)
    over_the_network, there_already = sent(push(code / "large", str(target), shell))
    assert over_the_network + there_already == 5_000_000
    assert (over_the_network < 100_000) == (shell is Here)
    assert target.read_bytes() == bytes(changed)
    assert not Path(f"{target}{PART}").exists()


def test_without_rsync_a_folder_goes_all_the_same(code: Path, tmp_path: Path) -> None:
    assert push(code, str(tmp_path / "there"), WithoutRsync).exit_code == Exit.FINE
    assert (tmp_path / "there/it's a sub/file 39.py").is_file()
