"""Calls npu-smi and hccn_tool: one at a time on the host, with a time limit, and never opening a device itself."""

from __future__ import annotations

import time
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from npu_agent import lock
from npu_agent.probe import model
from npu_agent.probe.errors import classify
from npu_agent.run import Completed, Run


@dataclass
class ToolStats:
    """What the calls cost and how they failed, for the metrics."""

    durations: dict[str, float] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, duration_s: float) -> None:
        self.durations[name] = duration_s
        self.runs[name] = self.runs.get(name, 0) + 1

    def count_error(self, kind: str) -> None:
        self.errors[kind] = self.errors.get(kind, 0) + 1


@dataclass(frozen=True)
class Answer:
    """What the tool said; None where it refused, failed or did not answer in time."""

    text: Optional[str]
    timed_out: bool = False
    unsupported: bool = False


@dataclass(frozen=True)
class Tool:
    """A tool on this node. `program` is None where it was not found."""

    program: Optional[str]
    run: Run
    lock_path: Path
    timeout_s: float
    env: MappingType[str, str] = field(default_factory=dict)
    stats: ToolStats = field(default_factory=ToolStats)

    def call(self, *arguments: str) -> Completed:
        """Run the tool with these arguments under the host's lock."""
        completed = self._call(arguments)
        self.stats.count(self.question(*arguments), completed.duration_s)
        return completed

    def likely_s(self, *arguments: str) -> float:
        """Tell how long this question took the last time, of whichever chip."""
        return self.stats.durations.get(self.question(*arguments), 0.0)

    def question(self, *arguments: str) -> str:
        """Name what is asked, without saying of which chip."""
        return " ".join(word for word in arguments if not word.isdigit() and word not in ("-i", "-c"))

    def _call(self, arguments: tuple[str, ...]) -> Completed:
        argv = (self.program or self._name(), *arguments)
        if self.program is None:
            return Completed(argv, 127, stderr=f"{self._name()}: command not found in sbin or bin")
        started = time.monotonic()
        try:
            return self._run_locked(argv)
        except lock.LockTimeoutError as error:
            waited = time.monotonic() - started
            return Completed(argv, None, stderr=str(error), timed_out=True, duration_s=waited)
        except OSError as error:
            return Completed(argv, 126, stderr=f"{self.lock_path}: {error.strerror}")

    def _run_locked(self, argv: tuple[str, ...]) -> Completed:
        with lock.hold(self.lock_path, timeout_s=self.timeout_s) as descriptor:
            return self.run(argv, timeout_s=self.timeout_s, env=self.env, hold_fd=descriptor)

    def ask(self, *arguments: str) -> Answer:
        """Ask for something; a question that this hardware does not support is no fault."""
        completed = self.call(*arguments)
        errors = classify(completed)
        for error in errors:
            if error.kind != model.UNSUPPORTED:
                self.stats.count_error(error.kind)
        unsupported = bool(errors) and all(error.kind == model.UNSUPPORTED for error in errors)
        return Answer(None if errors else completed.stdout, completed.timed_out, unsupported)

    def _name(self) -> str:
        return "npu-smi"


@dataclass(frozen=True)
class NpuSmi(Tool):
    """npu-smi. Its child keeps the lock, so that one which cannot be killed keeps every other caller away."""


@dataclass(frozen=True)
class Hccn(Tool):
    """hccn_tool. It waits for its turn with npu-smi, but one that cannot be killed must not blind npu-smi.

    So its child keeps only a lock of its own, and where that is taken nobody waits.
    """

    def question(self, *arguments: str) -> str:
        return "hccn_tool " + super().question(*arguments)

    def _run_locked(self, argv: tuple[str, ...]) -> Completed:
        own = self.lock_path.with_name("hccn_tool.lock")
        with lock.hold(self.lock_path, timeout_s=self.timeout_s), lock.hold(own, timeout_s=0) as descriptor:
            return self.run(argv, timeout_s=self.timeout_s, env=self.env, hold_fd=descriptor)

    def _name(self) -> str:
        return "hccn_tool"


def driver_env(driver_dir: Optional[str]) -> dict[str, str]:
    """Name the libraries of the driver; npu-smi does not find them by itself everywhere."""
    if not driver_dir:
        return {}
    folders = [f"{driver_dir}/lib64", f"{driver_dir}/lib64/common", f"{driver_dir}/lib64/driver", "/usr/local/dcmi"]
    return {"LD_LIBRARY_PATH": ":".join(folders)}
