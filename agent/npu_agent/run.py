"""The agent's only door to other programs: a time limit, a kill of the whole group, and nothing ever piles up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional, Protocol

# npu-smi lies in sbin or in bin, depending on the driver's age.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OUTPUT_LIMIT = 1024 * 1024
EXIT_NOT_FOUND = 127
EXIT_NOT_EXECUTABLE = 126
EXIT_UNKNOWN = 255

_KILL_GRACE_S = 1.0
_POLL_S = 0.05
_PASSED_FD = 3


@dataclass(frozen=True)
class Completed:
    """How a run ended. `exit_code` is None where the program was stopped, negative where a signal ended it."""

    argv: tuple[str, ...]
    exit_code: Optional[int]
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False
    duration_s: float = 0.0
    unkillable: bool = False


class Run(Protocol):
    """What `run` looks like to those who are handed it."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        env: Optional[Mapping[str, str]] = None,
        hold_fd: Optional[int] = None,
    ) -> Completed: ...


@dataclass
class Runner:
    """Runs programs. It remembers those that survived SIGKILL (D state) and starts no second one of such a tool."""

    kill_group: Callable[[int, int], None] = os.killpg
    _abandoned: dict[str, int] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        env: Optional[Mapping[str, str]] = None,
        hold_fd: Optional[int] = None,
    ) -> Completed:
        """Run to the end or to the time limit; a tool that is not there ends with 127, as in a shell.

        `hold_fd` is inherited by the child: a lock on it lasts as long as the child does.
        """
        started = time.monotonic()
        stuck = self._stuck_pid(argv[0])
        if stuck is not None:
            message = f"{argv[0]} (pid {stuck}) hangs in the kernel and cannot be killed; it is not started again"
            return Completed(tuple(argv), None, stderr=message, timed_out=True, unkillable=True)
        environment = {"PATH": SEARCH_PATH, "LANG": "C", "LC_ALL": "C", **(env or {})}
        program = shutil.which(argv[0], path=environment["PATH"])
        if program is None:
            return _refused(argv, EXIT_NOT_FOUND, "No such file or directory")
        try:
            child = _Child.start(program, argv, environment, hold_fd)
        except OSError as error:
            return _refused(argv, EXIT_NOT_EXECUTABLE, os.strerror(error.errno or 0))
        return self._finish(argv, child, started, timeout_s)

    def unkillable(self) -> int:
        """Count the children that are still there although they were killed."""
        return sum(self._stuck_pid(tool) is not None for tool in list(self._abandoned))

    def _finish(self, argv: Sequence[str], child: _Child, started: float, timeout_s: float) -> Completed:
        timed_out = not child.wait(started + timeout_s)
        # Also after a good end: what the tool left behind must not keep the devices.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            self.kill_group(child.pid, signal.SIGKILL)
        unkillable = timed_out and not child.wait(time.monotonic() + _KILL_GRACE_S)
        if unkillable:
            with self._guard:
                self._abandoned[argv[0]] = child.pid
        stdout, stderr = child.close()
        exit_code = None if timed_out else child.exit_code
        return Completed(tuple(argv), exit_code, stdout, stderr, timed_out, time.monotonic() - started, unkillable)

    def _stuck_pid(self, tool: str) -> Optional[int]:
        with self._guard:
            pid = self._abandoned.get(tool)
            if pid is not None and _reap(pid) is not None:
                del self._abandoned[tool]
                return None
            return pid


def _refused(argv: Sequence[str], exit_code: int, cause: str) -> Completed:
    return Completed(tuple(argv), exit_code, stderr=f"{argv[0]}: {cause}")


class _Child:
    """One started program in a process group of its own, and what it has said so far."""

    def __init__(self, pid: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.exit_code: Optional[int] = None
        self._said = {stdout: bytearray(), stderr: bytearray()}
        self._open = [stdout, stderr]
        self._pipes = (stdout, stderr)

    @classmethod
    def start(cls, program: str, argv: Sequence[str], env: Mapping[str, str], hold_fd: Optional[int]) -> _Child:
        """Start with posix_spawn: it costs a fraction of a fork.

        Every descriptor of this process is close-on-exec, so nothing leaks into the child but what is named here.
        """
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        to_close = [out_write, err_write]
        actions: list[tuple[object, ...]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out_write, 1),
            (os.POSIX_SPAWN_DUP2, err_write, 2),
        ]
        if hold_fd is not None:
            # A high copy first: glibc before 2.29 leaves close-on-exec set when both numbers are the same.
            to_close.append(fcntl.fcntl(hold_fd, fcntl.F_DUPFD_CLOEXEC, 64))
            actions.append((os.POSIX_SPAWN_DUP2, to_close[-1], _PASSED_FD))
        try:
            pid = os.posix_spawn(
                program,
                list(argv),
                dict(env),
                file_actions=actions,
                setpgroup=0,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE],
            )
        except OSError:
            to_close += [out_read, err_read]
            raise
        finally:
            for descriptor in to_close:
                os.close(descriptor)
        return cls(pid, out_read, err_read)

    def wait(self, deadline: float) -> bool:
        """Read until the program has ended; False where it has not by the deadline."""
        with selectors.DefaultSelector() as selector:
            for descriptor in self._open:
                selector.register(descriptor, selectors.EVENT_READ)
            while self.exit_code is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._turn(selector, min(left, _POLL_S))
            # The rest of what it said lies in the pipes already.
            while self._open and self._turn(selector, 0):
                pass
        return True

    def _turn(self, selector: selectors.BaseSelector, pause_s: float) -> bool:
        if not self._open:
            time.sleep(min(pause_s, 0.005))
        ready = selector.select(pause_s) if self._open else []
        for key, _ in ready:
            self._read(key.fd, selector)
        if self.exit_code is None:
            self.exit_code = _reap(self.pid)
        return bool(ready)

    def _read(self, descriptor: int, selector: selectors.BaseSelector) -> None:
        data = os.read(descriptor, 65536)
        if not data:
            selector.unregister(descriptor)
            self._open.remove(descriptor)
            return
        said = self._said[descriptor]
        # What is beyond the limit is read and dropped: a full pipe would stop the program.
        said += data[: max(0, OUTPUT_LIMIT - len(said))]

    def close(self) -> tuple[str, str]:
        for descriptor in self._pipes:
            os.close(descriptor)
        stdout, stderr = (bytes(self._said[pipe]).decode("utf-8", "replace") for pipe in self._pipes)
        return stdout, stderr


def _reap(pid: int) -> Optional[int]:
    """Return the exit code of a child that has ended, None for one that runs."""
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return EXIT_UNKNOWN
    return None if done == 0 else os.waitstatus_to_exitcode(status)


_RUNNER = Runner()
run = _RUNNER.run
unkillable = _RUNNER.unkillable
