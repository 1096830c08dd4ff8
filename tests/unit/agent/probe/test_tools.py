"""Calls of npu-smi are serialised, timed and counted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from npu_agent import lock
from npu_agent.monitor import MonitorSettings
from npu_agent.observer import ObserverSettings
from npu_agent.probe import NpuSmi, driver_env
from npu_agent.probe.tools import Hccn
from npu_agent.run import Completed
from support.repo import ROOT


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


def test_a_refused_question_is_told_from_a_failed_one(tmp_path: Path) -> None:
    refused = NpuSmi("/npu-smi", answer("This device does not support querying ecc."), tmp_path / "lock", 1.0)
    assert refused.ask("info", "-t", "ecc").unsupported
    failed = NpuSmi("/npu-smi", answer("", exit_code=187), tmp_path / "lock", 1.0)
    assert not failed.ask("info", "-t", "ecc").unsupported


def test_the_words_of_an_answer_are_no_refusal(tmp_path: Path) -> None:
    optical = "present : present\nHost SNR Lane0       : not supported\n"
    tool = Hccn("/hccn_tool", answer(optical), tmp_path / "lock", 1.0)
    assert tool.ask("-i", "0", "-optical", "-g").text == optical
    assert tool.stats.runs == {"hccn_tool -optical -g": 1}


def test_hccn_tool_waits_for_its_turn_with_npu_smi(tmp_path: Path) -> None:
    tool = Hccn("/hccn_tool", answer("fine"), tmp_path / "lock", 0.05)
    with lock.hold(tmp_path / "lock", timeout_s=0):
        assert tool.call("-i", "0", "-link", "-g").timed_out
    assert tool.call("-i", "0", "-link", "-g").exit_code == 0


def test_an_hccn_tool_that_cannot_be_killed_keeps_its_own_lock_only(tmp_path: Path) -> None:
    kept: list[int] = []

    def hang(argv: Any, *, hold_fd: int, **_: Any) -> Completed:
        kept.append(os.dup(hold_fd))
        return Completed(tuple(argv), None, timed_out=True, unkillable=True)

    stuck = Hccn("/hccn_tool", hang, tmp_path / "lock", 1.0)  # type: ignore[arg-type]  # a smaller door
    assert stuck.call("-i", "0", "-link", "-g").timed_out
    assert NpuSmi("/npu-smi", answer("fine"), tmp_path / "lock", 0.05).call("info").exit_code == 0
    assert Hccn("/hccn_tool", answer("fine"), tmp_path / "lock", 0.05).call("-i", "1", "-link", "-g").timed_out
    os.close(kept[0])
    assert Hccn("/hccn_tool", answer("fine"), tmp_path / "lock", 0.05).call("-i", "1", "-link", "-g").exit_code == 0


def test_the_modules_of_the_playbooks_take_the_same_lock() -> None:
    source = (ROOT / "playbooks/plugins/module_utils/npufleet/npu.py").read_text(encoding="utf-8")
    assert f'LOCK = "{ObserverSettings().lock_path}"' in source
    assert str(ObserverSettings().lock_path.parent) == MonitorSettings("node-1").run_dir
    assert "fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)" in source
