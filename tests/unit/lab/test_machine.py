"""What the lab asks of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from npufleet_lab import machine


@pytest.mark.parametrize(("mask", "lacks"), [("000001fffeffffff", True), ("000001ffffffffff", False)])
def test_a_withheld_capability_is_seen(tmp_path: Path, mask: str, lacks: bool) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tpython\nCapEff:\t0000000000000000\nCapBnd:\t{mask}\n")
    assert machine.lacks_sys_resource(status) is lacks


def test_the_device_number_is_one_that_no_driver_has(tmp_path: Path) -> None:
    devices = tmp_path / "devices"
    devices.write_text("Character devices:\n  1 mem\n236 rpmb\n235 bsg\n\nBlock devices:\n234 virtblk\n")
    assert machine.free_device_major(devices) == 234
    devices.write_text("Character devices:\n236 a\n235 b\n234 c\n511 d\n\nBlock devices:\n")
    assert machine.free_device_major(devices) == 510


def test_missing_programs_name_their_packages() -> None:
    wanted = {"sh": "dash", "no-such-program-anywhere": "its-package"}
    assert machine.missing_programs(wanted) == ["its-package"]


def test_the_lock_makes_its_folder(tmp_path: Path) -> None:
    with machine.locked(tmp_path / "home" / "lock"):
        assert (tmp_path / "home" / "lock").is_file()
