"""The door to other programs, with real ones: nothing else can show that a group dies and a pipe is drained."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from npu_agent import lock
from npu_agent.run import OUTPUT_LIMIT, Runner, run


def test_what_a_program_says_and_how_it_ends() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=5)
    assert (done.exit_code, done.stdout, done.stderr, done.timed_out) == (3, "out\n", "err\n", False)


def test_a_program_that_is_not_there_ends_as_in_a_shell(tmp_path: Path) -> None:
    assert run(["npufleet-no-such-tool"], timeout_s=5).exit_code == 127
    script = tmp_path / "tool"
    script.write_text("not a program")
    script.chmod(0o755)
    assert run([str(script)], timeout_s=5).exit_code == 126


def test_a_time_out_kills_the_whole_group(tmp_path: Path) -> None:
    done = run(["sh", "-c", f"sleep 30 & echo $! > {tmp_path}/child; echo started; wait"], timeout_s=0.3)
    assert (done.exit_code, done.timed_out, done.stdout) == (None, True, "started\n")
    assert done.duration_s < 2
    grandchild = int((tmp_path / "child").read_text())
    assert wait_gone(grandchild)


def test_what_a_tool_leaves_behind_does_not_keep_us_waiting(tmp_path: Path) -> None:
    done = run(["sh", "-c", f"sleep 30 & echo $! > {tmp_path}/child"], timeout_s=5)
    assert (done.exit_code, done.timed_out) == (0, False)
    assert done.duration_s < 2
    assert wait_gone(int((tmp_path / "child").read_text()))


def wait_gone(pid: int) -> bool:
    """Wait until a process has ended; one that nobody reaps stays as a zombie."""
    deadline = time.monotonic() + 2
    stat = Path(f"/proc/{pid}/stat")
    while time.monotonic() < deadline:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_endless_output_is_cut_and_does_not_stop_the_program() -> None:
    done = run(["head", "-c", str(3 * OUTPUT_LIMIT), "/dev/zero"], timeout_s=5)
    assert done.exit_code == 0
    assert len(done.stdout) == OUTPUT_LIMIT


def test_bytes_that_are_no_text_do_not_raise() -> None:
    assert "\ufffd" in run(["printf", r"\377"], timeout_s=5).stdout


def test_the_environment_is_small_and_english() -> None:
    lines = run(["env"], timeout_s=5, env={"LD_LIBRARY_PATH": "/x"}).stdout.splitlines()
    assert {"LC_ALL=C", "LD_LIBRARY_PATH=/x"} <= set(lines)
    assert not [line for line in lines if line.startswith("HOME=")]


def test_no_descriptor_leaks_into_the_program() -> None:
    ours = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 300)
    listed = run(["ls", "/proc/self/fd"], timeout_s=5).stdout.split()
    os.close(ours)
    assert {"0", "1", "2"} <= set(listed)
    assert str(ours) not in listed


def test_a_tool_that_cannot_be_killed_is_counted_and_not_started_again() -> None:
    runner = Runner(kill_group=lambda _pid, _signal: None)
    first = runner.run(["sleep", "1.6"], timeout_s=0.1)
    assert (first.timed_out, first.unkillable) == (True, True)
    second = runner.run(["sleep", "1.6"], timeout_s=5)
    assert second.unkillable
    assert second.duration_s < 0.1
    assert "cannot be killed" in second.stderr
    assert runner.unkillable() == 1
    assert runner.run(["true"], timeout_s=5).exit_code == 0
    time.sleep(0.7)
    assert runner.unkillable() == 0
    assert runner.run(["sleep", "0"], timeout_s=5).exit_code == 0


def test_a_tool_that_cannot_be_killed_keeps_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "npu-smi.lock"
    runner = Runner(kill_group=lambda _pid, _signal: None)
    with lock.hold(path, timeout_s=0) as descriptor:
        assert runner.run(["sleep", "1.4"], timeout_s=0.1, hold_fd=descriptor).unkillable
    with pytest.raises(lock.LockTimeoutError), lock.hold(path, timeout_s=0):
        pass
    time.sleep(0.5)
    with lock.hold(path, timeout_s=0) as descriptor:
        assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
