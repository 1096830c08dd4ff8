"""Each check finds its fault, and a healthy node has none."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.repo import load_yaml
from unit.plugins.loading import load

preflight = load("filter/npufleet_preflight.py")
RECORDS = load_yaml(Path("roles/preflight/vars/main.yml"))["__preflight_checks"]
SETTINGS = {
    "expected_npus": 2,
    "min_driver": "23.0.6",
    "engine_recommended": "20.10",
    "min_free_gb": 20,
    "clock_tolerance_s": 120,
    "now": 1000,
    "severities": {},
}
HEALTHY: dict[str, Any] = {
    "system": {
        "os": {"id": "hce", "name": "Huawei Cloud EulerOS 2.0"},
        "arch": "aarch64",
        "services": {"docker.service": {}},
        "python": {"version": "3.9.9"},
        "pythons": [],
        "time": 1030,
        "disks": {"/": {"free_mb": 90000}},
        "cgroup": {"mode": "v2"},
    },
    "docker": {"version": "24.0.7", "daemon_json": {"error": None}, "containers": []},
    "npu": {
        "davinci": [0, 1],
        "manager_devices": ["/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"],
        "lspci": [{"address": "81:00.0", "revision": "20"}, {"address": "82:00.0", "revision": "20"}],
        "pci": [],
        "directories_in_place_of_tools": [],
        "npu_smi": {
            "error": None,
            "total": 2,
            "chips": [{}, {}],
            "health": [{"card": 0, "chip": 0, "health": "OK"}],
            "processes": [],
        },
        "driver_version": "23.0.6",
        "firmware_version": "7.1.0.9.220",
        "driver_wants_firmware": "[7.0.0,7.1.99]",
        "firmware_wants_driver": "[23.0.rc3,23.0.rc3.],[23.0.0,23.0.99]",
    },
}


def findings(node: dict[str, Any], **settings: Any) -> dict[str, dict[str, Any]]:
    judged = preflight.npufleet_preflight(node, RECORDS, {**SETTINGS, **settings}, settings.get("language", "en"))
    return {finding["id"]: finding for finding in judged}


def broken(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    node = copy.deepcopy(HEALTHY)
    change(node)
    return node


def test_a_healthy_node_passes_every_check() -> None:
    assert {name for name, finding in findings(HEALTHY).items() if finding["state"] != "pass"} == set()


def lost(npu: dict[str, Any]) -> None:
    npu["davinci"] = [0]


FAULTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "system-known": lambda n: n["system"]["os"].update(id="fedora"),
    "architecture-known": lambda n: n["system"].update(arch="riscv64"),
    "systemd-runs": lambda n: n["system"].update(services={}),
    "python-for-agent": lambda n: n["system"]["python"].update(version="3.7.9"),
    "clock": lambda n: n["system"].update(time=700),
    "disk-space": lambda n: n["system"]["disks"]["/"].update(free_mb=100),
    "cgroup-version": lambda n: n["system"]["cgroup"].update(mode="v1"),
    "engine-version": lambda n: n["docker"].update(version="18.09.0"),
    "engine-options": lambda n: n["docker"]["daemon_json"].update(error="line 1"),
    "npu-devices": lambda n: lost(n["npu"]),
    "npu-manager-devices": lambda n: n["npu"]["manager_devices"].pop(),
    "npu-pci": lambda n: n["npu"]["lspci"].pop(),
    "npu-pci-dead": lambda n: n["npu"]["lspci"][0].update(revision="ff"),
    "npu-smi-is-a-file": lambda n: n["npu"]["directories_in_place_of_tools"].append("/usr/local/bin/npu-smi"),
    "npu-smi-answers": lambda n: n["npu"]["npu_smi"].update(error="dcmi module initialize failed. ret is -8005"),
    "npu-smi-count": lambda n: n["npu"]["npu_smi"]["chips"].pop(),
    "npu-health": lambda n: n["npu"]["npu_smi"]["health"][0].update(health="Alarm"),
    "driver-version": lambda n: n["npu"].update(driver_version="23.0.rc3", firmware_version="7.1.0"),
    "driver-firmware": lambda n: n["npu"].update(firmware_version="7.5.0"),
    "npu-holders": lambda n: n["docker"]["containers"].append({"name": "job", "devices": ["/dev/davinci1"]}),
}


def test_every_check_has_a_fault_here_and_a_record() -> None:
    assert set(FAULTS) == set(preflight.CHECKS) == {record["id"] for record in RECORDS}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_fault_is_found_by_its_check_alone(name: str, language: str) -> None:
    judged = findings(broken(FAULTS[name]), language=language)
    assert {n for n, finding in judged.items() if finding["state"] == "fail"} == {name}
    assert judged[name]["tip"]
    assert not re.search(r"[{}]", judged[name]["text"] + judged[name]["tip"])


def test_unknown_is_not_healthy() -> None:
    judged = findings(broken(lambda n: n["npu"].update(driver_version=None, firmware_version=None)))
    assert judged["driver-version"]["state"] == judged["driver-firmware"]["state"] == "fail"
    judged = findings(broken(lambda n: n["npu"]["npu_smi"].update(chips=[], total=None)))
    assert judged["npu-smi-count"]["state"] == "fail"


def test_no_device_at_all_is_a_fault_even_when_none_is_expected() -> None:
    node = broken(lambda n: n["npu"].update(davinci=[]))
    assert findings(node, expected_npus=0)["npu-devices"]["state"] == "fail"


def test_holders_are_named() -> None:
    def hold(node: dict[str, Any]) -> None:
        node["docker"]["containers"] += [
            {"name": "train", "devices": ["/dev/davinci0", "/dev/davinci1", "/dev/davinci_manager"]},
            {"name": "root", "devices": ["privileged"]},
            {"name": "web", "devices": []},
        ]
        node["npu"]["npu_smi"]["processes"].append({"card": 1, "chip": 0, "pid": 77, "name": "python"})

    text = findings(broken(hold))["npu-holders"]["text"]
    assert "train has 0, 1" in text
    assert "root may have all (privileged)" in text
    assert "python (pid 77) uses card 1" in text
    assert "web" not in text


def test_the_site_decides_how_bad_a_finding_is() -> None:
    node = broken(FAULTS["driver-version"])
    judged = preflight.npufleet_preflight(node, RECORDS, {**SETTINGS, "severities": {"driver-version": "error"}})
    assert preflight.npufleet_findings(judged, "warning", "info") == []
    (sentence,) = preflight.npufleet_findings(judged, "error")
    assert sentence.startswith("[driver-version] The NPU driver is 23.0.rc3; the images need 23.0.6 or newer. ")


@pytest.mark.parametrize(
    ("older", "newer"),
    [("23.0.rc3", "23.0.0"), ("23.0.0", "23.0.6"), ("23.0.6", "24.1.rc1"), ("24.1.0", "24.1.0.6"), ("9.0", "20.10")],
)
def test_versions_sort_as_people_read_them(older: str, newer: str) -> None:
    assert preflight.version_key(older) < preflight.version_key(newer)


@pytest.mark.parametrize(
    ("version", "ranges", "inside"),
    [
        ("7.1.0.9.220", "[7.0.0,7.1.99]", True),
        ("7.2.0", "[7.0.0,7.1.99]", False),
        ("23.0.rc3.2", "[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.]", True),
        ("23.0.0", "[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.]", True),
        ("23.0.6", "[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.]", False),
    ],
)
def test_ranges_of_version_info(version: str, ranges: str, *, inside: bool) -> None:
    assert preflight.in_ranges(version, ranges) is inside
