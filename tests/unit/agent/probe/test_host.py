"""Files and tools beside npu-smi."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu_agent.probe import host
from unit.agent.recorded import read


def test_driver_and_firmware_that_work_together() -> None:
    driver = host.parse_properties(read("other/driver_version_info_23.0.7.txt"))
    firmware = host.parse_properties(read("other/firmware_version_info_7.1.0.11.220.txt"))
    assert driver["Version"] == "23.0.7"
    assert host.firmware_fits(driver, firmware["Version"]) is True


@pytest.mark.parametrize(
    ("version", "fits"), [("7.0.0", True), ("7.1.99", True), ("7.1.99.5", True), ("7.2.0", False), ("6.4.12", False)]
)
def test_firmware_range(version: str, fits: bool) -> None:
    assert host.firmware_fits({"compatible_version_fw": "[7.0.0,7.1.99]"}, version) is fits


def test_an_unknown_range_is_not_a_misfit() -> None:
    assert host.firmware_fits({}, "7.1.0") is None
    assert host.firmware_fits({"compatible_version_fw": "[7.0.0,7.1.99]"}, None) is None


@pytest.mark.parametrize(
    ("older", "newer"), [("23.0.rc3", "23.0.0"), ("7.1.9", "7.1.10"), ("24.1.rc1", "24.1.rc2"), ("25.3.rc1", "25.5.1")]
)
def test_versions_are_ordered_as_people_do(older: str, newer: str) -> None:
    assert host.version_key(older) < host.version_key(newer)


def test_lspci_lists_accelerators_and_the_dead() -> None:
    assert len(host.parse_lspci(read("other/lspci_processing_accelerators_d801_7of8.txt"))) == 7
    dead = host.parse_lspci("81:00.0 Processing accelerators: Huawei Technologies Co., Ltd. Device d802 (rev ff)")
    assert dead == [host.PciDevice("81:00.0", "d802", dead=True)]
    assert host.parse_lspci("00:1f.3 Audio device: Intel Corporation Device d801") == []


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    assert isinstance(host.parse_properties(text), dict)
    assert isinstance(host.parse_lspci(text), list)
