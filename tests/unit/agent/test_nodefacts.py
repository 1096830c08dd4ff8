from __future__ import annotations

from pathlib import Path

from npu_agent import nodefacts


def test_what_is_absent_or_broken_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "nic.json").write_text("{")
    (tmp_path / "guard.json").write_text("[]")
    found = nodefacts.read(tmp_path)
    assert (found.driver, found.nic, found.guard) == (None, None, None)


def test_files_and_the_machines_size_are_read(tmp_path: Path) -> None:
    (tmp_path / "driver.json").write_text('{"npu_smi": "/x"}')
    found = nodefacts.read(tmp_path)
    assert found.driver == {"npu_smi": "/x"}
    assert found.cpus >= 1
    assert found.memory_bytes > 1 << 20


def test_the_boot_is_identified(tmp_path: Path) -> None:
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("abc\n")
    assert nodefacts.boot_id(tmp_path) == "abc"
    assert nodefacts.boot_id(tmp_path / "none") is None
