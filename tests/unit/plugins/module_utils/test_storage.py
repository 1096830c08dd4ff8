"""What is mounted and what lies there is read without waiting for a server that is gone."""

from __future__ import annotations

from pathlib import Path

from unit.plugins import loading

from ansible.module_utils.npufleet import storage  # isort: skip  # found through the import above
from ansible.module_utils.npufleet.run import Done  # isort: skip  # likewise

assert loading

TABLE = (
    "/dev/sda1 / ext4 rw 0 0\n10.0.0.9:/ /mnt/sfs\\040turbo nfs rw,vers=3 0 0\ntmpfs /mnt/sfs\\040turbo tmpfs rw 0 0\n"
)


def test_mount_table() -> None:
    assert storage.mounts(TABLE)["/mnt/sfs turbo"] == {"source": "tmpfs", "type": "tmpfs"}


def test_a_path_is_asked_for_with_its_own_mount_only() -> None:
    paths = ["/mnt", "/mnt/a", "/mnt/a/ws", "/mnt/ab", "/data"]
    assert storage.by_mount(paths, ["/", "/mnt/a"]) == {
        "/": ["/mnt", "/mnt/ab", "/data"],
        "/mnt/a": ["/mnt/a", "/mnt/a/ws"],
    }


def test_folders_as_they_are() -> None:
    said = "stat: cannot statx '/b': No such file or directory\nstat: cannot statx '/c': Stale file handle\n"
    seen, broken = storage.understand(["/a", "/b", "/c"], Done(1, "755|1000|100|directory|/a\n", said))
    assert seen == {"/a": {"mode": "0755", "uid": 1000, "gid": 100, "kind": "directory"}, "/b": None}
    assert broken == {"/c": "Stale file handle"}


def test_silence_is_told_and_is_not_absence() -> None:
    seen, broken = storage.understand(["/a"], Done(124, "", "stat gave no answer"))
    assert (seen, broken) == ({}, {"/a": "no answer within 5 s"})


def test_really_there(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir(mode=0o750)
    found = storage.gather([], [str(tmp_path / "ws"), str(tmp_path / "gone")], ["no-such-type"])
    assert found["folders"][str(tmp_path / "ws")]["mode"] == "0750"
    assert found["folders"][str(tmp_path / "gone")] is None
    assert found["folders"][str(tmp_path)]["kind"] == "directory"
    assert (found["broken"], found["helpers"]) == ({}, {"no-such-type": None})
