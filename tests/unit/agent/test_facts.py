"""What the node tells of itself through files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from npu_agent.facts import Facts, NodePaths, find_npu_smi, read_facts


def write(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def test_an_empty_node_tells_nothing(tmp_path: Path) -> None:
    assert read_facts(NodePaths(str(tmp_path))) == Facts()


def test_devices_are_counted_without_the_managers(tmp_path: Path) -> None:
    for name in ("davinci0", "davinci10", "davinci_manager", "davinciX", "null"):
        write(tmp_path, f"dev/{name}")
    assert read_facts(NodePaths(str(tmp_path))).devices == (0, 10)


@pytest.mark.parametrize("folder", ["usr/local/sbin", "usr/local/bin", "usr/bin"])
def test_the_tool_is_found_in_sbin_or_bin(tmp_path: Path, folder: str) -> None:
    write(tmp_path, f"{folder}/npu-smi")
    assert find_npu_smi(NodePaths(str(tmp_path))) == str(tmp_path / folder / "npu-smi")


def test_a_folder_of_the_tools_name_is_not_the_tool(tmp_path: Path) -> None:
    (tmp_path / "usr/local/sbin/npu-smi").mkdir(parents=True)
    write(tmp_path, "usr/local/bin/npu-smi")
    assert find_npu_smi(NodePaths(str(tmp_path))) == str(tmp_path / "usr/local/bin/npu-smi")


def test_what_preparation_recorded_wins(tmp_path: Path) -> None:
    recorded = {"npu_smi": "/opt/npu-smi", "driver_dir": "/opt/driver", "davinci": [1, 0, "x", True]}
    write(tmp_path, "etc/npufleet/facts.d/driver.json", json.dumps(recorded))
    write(tmp_path, "opt/npu-smi")
    write(tmp_path, "opt/driver/version.info", "Version=24.1.0\n")
    write(tmp_path, "opt/firmware/version.info", "Version=7.5.0\n")
    facts = read_facts(NodePaths(str(tmp_path)))
    assert facts.npu_smi == str(tmp_path / "opt/npu-smi")
    assert (facts.driver_version, facts.firmware_version) == ("24.1.0", "7.5.0")
    assert facts.recorded_devices == (0, 1)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"davinci": 7, "npu_smi": 3}'])
def test_a_broken_record_is_no_record(tmp_path: Path, text: str) -> None:
    write(tmp_path, "etc/npufleet/facts.d/driver.json", text)
    assert read_facts(NodePaths(str(tmp_path))) == Facts()


def test_other_devices_and_virtual_functions_are_no_accelerators(tmp_path: Path) -> None:
    write(tmp_path, "sys/bus/pci/devices/0000:01:00.0/vendor", "0x8086\n")
    write(tmp_path, "sys/bus/pci/devices/0000:02:00.0/vendor", "0x19e5\n")
    write(tmp_path, "sys/bus/pci/devices/0000:02:00.0/class", "0x020000\n")
    write(tmp_path, "sys/bus/pci/devices/0000:03:00.1/vendor", "0x19e5\n")
    write(tmp_path, "sys/bus/pci/devices/0000:03:00.1/class", "0x120000\n")
    write(tmp_path, "sys/bus/pci/devices/0000:03:00.1/physfn/vendor", "0x19e5\n")
    assert read_facts(NodePaths(str(tmp_path))).pci == ()


def test_hccn_tool_lies_among_the_drivers_tools(tmp_path: Path) -> None:
    assert read_facts(NodePaths(str(tmp_path))).hccn_tool is None
    tool = tmp_path / "usr/local/Ascend/driver/tools/hccn_tool"
    tool.parent.mkdir(parents=True)
    tool.touch()
    assert read_facts(NodePaths(str(tmp_path))).hccn_tool == str(tool)
