"""Calls of npu-smi are serialised, timed and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from npu_agent import lock
from npu_agent.probe import NpuSmi, driver_env
from npu_agent.run import Completed


def answer(text: str, exit_code: int = 0) -> Any:
    return lambda argv, **_: Completed(tuple(argv), exit_code, text, duration_s=0.25)


def test_calls_are_counted_by_question(tmp_path: Path) -> None:
    smi = NpuSmi("/usr/local/sbin/npu-smi", answer("fine"), tmp_path / "lock", 1.0)
    smi.ask("info", "-t", "health", "-i", "3", "-c", "0")
    smi.ask("info", "-t", "health", "-i", "4", "-c", "0")
    assert smi.stats.runs == {"info -t health": 2}
    assert smi.stats.durations == {"info -t health": 0.25}


def test_an_unsupported_question_is_no_error(tmp_path: Path) -> None:
    smi = NpuSmi("/npu-smi", answer("This device does not support querying product."), tmp_path / "lock", 1.0)
    assert smi.ask("info", "-t", "product").text is None
    assert smi.stats.errors == {}


def test_a_failed_question_is_counted(tmp_path: Path) -> None:
    smi = NpuSmi("/npu-smi", answer("", exit_code=187), tmp_path / "lock", 1.0)
    assert smi.ask("info").text is None
    assert smi.stats.errors == {"driver-not-ready": 1}


def test_somebody_elses_lock_ends_in_a_time_out(tmp_path: Path) -> None:
    smi = NpuSmi("/npu-smi", answer("fine"), tmp_path / "lock", 0.05)
    with lock.hold(tmp_path / "lock", timeout_s=0):
        completed = smi.call("info")
    assert completed.timed_out
    assert "another program" in completed.stderr
    assert smi.call("info").exit_code == 0


def test_the_tool_finds_the_drivers_libraries() -> None:
    assert driver_env("/opt/driver")["LD_LIBRARY_PATH"].startswith("/opt/driver/lib64:")
    assert driver_env(None) == {}
