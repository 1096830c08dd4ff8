from __future__ import annotations

import os
from pathlib import Path

import pytest

from npu_agent import api, mounts
from npu_agent.config import Policy
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, spec

HOST = r"""
20 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
31 20 0:45 / /mnt/sfs rw,relatime shared:5 - nfs 10.0.0.1:/share rw
32 20 254:17 /data /mnt/my\040disk rw - ext4 /dev/vdb1 rw
33 20 254:33 / /mnt/my\040disk rw - ext4 /dev/vdc1 rw
"""


@pytest.mark.parametrize(
    ("path", "device", "root"),
    [
        ("/home/x", "254:1", "/home/x"),
        ("/mnt/sfs", "0:45", "/"),
        ("/mnt/sfs/ws", "0:45", "/ws"),
        ("/mnt/sfs2", "254:1", "/mnt/sfs2"),
        ("/mnt/my disk/a", "254:33", "/a"),
    ],
)
def test_a_path_is_a_folder_of_a_file_system(path: str, device: str, root: str) -> None:
    assert mounts.where(path, mounts.parse(HOST)) == mounts.Entry(device, root, path)


def proc(folder: Path, inside: str) -> Path:
    for pid, text in (("1", HOST), ("77", inside)):
        (folder / pid).mkdir()
        (folder / pid / "mountinfo").write_text(text)
    return folder


MOUNTS = [{"source": "/mnt/sfs/ws", "target": "/ws"}]


def test_the_folder_that_was_checked_is_the_one_in_the_container(tmp_path: Path) -> None:
    inside = "90 80 0:45 /ws /ws rw - nfs 10.0.0.1:/share rw\n"
    mounts.check_after(MOUNTS, 77, proc(tmp_path, inside))
    assert mounts.parse(inside)[0].target == "/ws"


@pytest.mark.parametrize("root", ["254:1 /etc", "0:45 /other", "0:46 /ws"])
def test_another_folder_in_the_container_is_seen(tmp_path: Path, root: str) -> None:
    with pytest.raises(mounts.MountChangedError, match="another folder at /ws"):
        mounts.check_after(MOUNTS, 77, proc(tmp_path, f"90 80 {root} /ws rw - ext4 x rw\n"))


def test_the_kernels_own_table_is_read() -> None:
    here = str(Path("/proc/1/mountinfo"))
    assert mounts.where("/proc", mounts.parse(Path(here).read_text())) is not None
    mounts.check_after([{"source": "/", "target": "/"}], os.getpid())


def test_a_path_that_became_a_link_after_the_check_starts_nothing(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    bench.policy = Policy(mount_roots=(str(tmp_path),))

    def swap(operation: str) -> None:
        if operation == "create":
            (tmp_path / "data").rmdir()
            (tmp_path / "data").symlink_to("/etc")

    bench.engine.before = swap
    with pytest.raises(ProblemError) as caught:
        bench.workloads.put("job", spec(mounts=[{"source": str(tmp_path / "data"), "target": "/ws"}]))
    assert caught.value.problem.code == api.GUARD_MOUNT
    assert "became a link to /etc" in caught.value.problem.detail
    assert ("start" in bench.engine.calls, bench.engine.documents, bench.leased()) == (False, {}, {})


def test_a_container_with_another_folder_is_killed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    bench.policy = Policy(mount_roots=(str(tmp_path),))
    (tmp_path / "proc").mkdir()
    monkeypatch.setattr(mounts, "PROC", proc(tmp_path / "proc", "90 80 254:1 /etc /ws rw - ext4 x rw\n"))
    bench.engine.pid = 77
    with pytest.raises(ProblemError) as caught:
        bench.workloads.put("job", spec(mounts=[{"source": str(tmp_path / "data"), "target": "/ws"}]))
    assert caught.value.problem.code == api.GUARD_MOUNT
    assert "stop 0" in bench.engine.calls
    assert (bench.engine.documents, bench.leased()) == ({}, {})
