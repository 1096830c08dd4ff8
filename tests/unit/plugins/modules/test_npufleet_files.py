"""Files are put in place in one step, kept when they are as wanted, and only rehearsed in check mode."""

from __future__ import annotations

import json
from pathlib import Path

from unit.plugins.loading import load

files = load("modules/npufleet_files.py")


def test_parents_are_made_and_a_second_write_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a/b/file"
    first, second = files.Node(rehearse=False), files.Node(rehearse=False)
    first.file(str(path), "x\n", "0640", "")
    assert path.read_text() == "x\n"
    assert path.stat().st_mode & 0o777 == 0o640
    second.file(str(path), "x\n", "0640", "")
    assert (first.paths, second.paths) == ([str(path)], [])


def test_folders_that_had_to_be_made_are_remembered(tmp_path: Path) -> None:
    node, memory = files.Node(rehearse=False), tmp_path / "found/folders.json"
    (tmp_path / "there").mkdir()
    node.file(str(tmp_path / "there/a/b/file"), "x\n", "0644", "")
    files.remember([*node.made, "/run/npufleet"], str(memory))
    files.remember([str(tmp_path / "c")], str(memory))
    made = [str(tmp_path / name) for name in ("c", "there/a", "there/a/b")]
    assert json.loads(memory.read_text()) == made


def test_a_file_goes_when_it_is_the_last(tmp_path: Path) -> None:
    memory, other, node = tmp_path / "folders.json", tmp_path / "docker.json", files.Node(rehearse=False)
    memory.touch()
    other.touch()
    node.absent_if_alone(str(memory))
    assert memory.exists()
    other.unlink()
    node.absent_if_alone(str(memory))
    node.absent_if_alone(str(memory))
    assert node.paths == [str(memory)]
    assert list(tmp_path.iterdir()) == []


def test_rehearsal_tells_and_changes_nothing(tmp_path: Path) -> None:
    rehearsal = files.Node(rehearse=True)
    rehearsal.file(str(tmp_path / "new/file"), "x\n", "0644", "")
    rehearsal.folder(str(tmp_path / "folder"), "0755")
    rehearsal.link(str(tmp_path / "link"), "target")
    assert len(rehearsal.paths) == 3
    assert list(tmp_path.iterdir()) == []


def test_content_that_is_not_for_every_eye_is_not_in_the_diff(tmp_path: Path) -> None:
    rehearsal = files.Node(rehearse=True)
    rehearsal.file(str(tmp_path / "private"), "hunter2\n", "0600", "")
    rehearsal.file(str(tmp_path / "public"), "hello\n", "0644", "")
    private, public = rehearsal.diff
    assert "hunter2" not in str(private)
    assert public["after"] == "hello\n"


def test_a_link_is_switched(tmp_path: Path) -> None:
    path = tmp_path / "current"
    path.symlink_to("old")
    for target, changes in (("new", 1), ("new", 0)):
        node = files.Node(rehearse=False)
        node.link(str(path), target)
        assert len(node.paths) == changes
    assert str(path.readlink()) == "new"


def test_only_empty_folders_go(tmp_path: Path) -> None:
    (tmp_path / "full/inner").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    node = files.Node(rehearse=False)
    for name in ("full", "empty", "not-there"):
        node.absent_if_empty(str(tmp_path / name))
    assert node.paths == [str(tmp_path / "empty")]
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_absent_takes_a_folder_with_what_it_holds_but_not_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept/inner").mkdir(parents=True)
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/link").symlink_to(tmp_path / "kept")
    files.Node(rehearse=False).absent(str(tmp_path / "gone"))
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "kept/inner").is_dir()
